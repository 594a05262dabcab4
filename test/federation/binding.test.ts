import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import t from "tap";
import { verifyAuthorization } from "../../src/federation/signing.js";
import { formatXMatrix, readXMatrix } from "../../src/federation/x-matrix.js";
import { nameToKey } from "../../src/wire/name.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { PROFILE, SEND } from "./attacking.js";
import { type BoundPlace, boundPlace, CLASSIC, page, statement } from "./bound-place.js";
import { answers } from "./classic-place.js";
import { readAll } from "./listening.js";
import { VERSION } from "./raw-node.js";
import { addressOf, ask, codeOf, giveJson, KEY_ID, SECRET, startServer, type TestServer } from "./server.js";
import { mustSettle } from "./settling.js";

/*
 * A server of the classic federation with a node of its own: its name holds no key, and is bound to the node by what stands under it.
 */

const profile = { "/_matrix/federation/v1/query/profile": answers };

t.test("an overlay server reaches it by its own name, through the mesh", async (t) => {
  const { classic, overlay, reached, looked } = await boundPlace(t, { answers: profile });
  for (let i = 0; i < 3; i++) t.equal((await ask(overlay, CLASSIC, { path: PROFILE })).body, '{"ok":true}');
  const [request] = classic.asked;
  t.equal(request!.headers.host, CLASSIC);
  t.match(request!.headers.authorization, `X-Matrix origin="${overlay.name}"`);
  t.match(request!.headers.authorization, `destination="${CLASSIC}"`);
  t.same([classic.asked.length, reached.length, looked.length], [3, 0, 1], "its name is asked once");
  t.match(overlay.events, [{ what: "pinned", name: CLASSIC, node: classic.node.name }]);
  t.match(overlay.federation.stats, { bindingsPinned: 1, bindingFallbacks: 0, classicConnections: 0 });
});

t.test("it reaches an overlay server directly, and is known there by its own name", async (t) => {
  const { classic, overlay, network } = await boundPlace(t, { answers: profile });
  const body = { pdus: [] };
  const sent = await ask(classic, overlay.name, { method: "PUT", path: `${SEND}1`, body });
  t.equal(sent.status, 200);
  t.match(overlay.asked[0]!.headers.authorization, `X-Matrix origin="${CLASSIC}"`);
  t.equal((await ask(classic, overlay.name, { path: "/_matrix/key/v2/server" })).status, 200);
  await mustSettle(network, [classic, overlay]);
});

t.test("it asks servers of the classic federation as before", async (t) => {
  const { classic, internet } = await boundPlace(t);
  internet.host("plain.example", "8.0.0.7");
  const reached = await internet.server("8.0.0.7", 8448, { dns: ["plain.example"] }, answers);
  t.equal((await ask(classic, "plain.example", { path: PROFILE })).body, '{"ok":true}');
  t.equal(reached[0]!.host, "plain.example");
  t.match(reached[0]!.request.headers.authorization, `X-Matrix origin="${CLASSIC}"`);
  t.equal(classic.federation.stats.bindingsPinned, 0);
});

t.test("its keys are its own, and are asked for at its node", async (t) => {
  const { classic, overlay, reached } = await boundPlace(t);
  const answer = await ask(overlay, CLASSIC, { path: "/_matrix/key/v2/server" });
  t.match(JSON.parse(answer.body), { server_name: CLASSIC });
  t.not(classic.signer.publicKey, classic.node.key);
  const path = "/_matrix/key/v2/query";
  const asked = await ask(overlay, CLASSIC, { method: "POST", path, body: { server_keys: { [CLASSIC]: {} } } });
  t.equal(codeOf(asked), "M_UNRECOGNIZED", "so are the keys that it may know of others");
  t.same(reached, []);
});

t.test("a name that is bound without saying where its server is leads through the mesh too", async (t) => {
  const place = await boundPlace(t);
  place.page.give = page(statement(place.classic.node), undefined);
  t.equal((await ask(place.overlay, CLASSIC, { path: VERSION })).status, 200);
  t.equal(place.classic.asked.length, 1);
  place.classic.node.leave();
  t.equal((await ask(place.overlay, CLASSIC, { path: VERSION })).body, '{"by":"the Internet"}');
  t.equal(place.reached.length, 1);
});

t.test("where its node is not reached, a request goes by the Internet; what was sent is not sent again", async (t) => {
  const place = await boundPlace(t, {
    answers: { [SEND]: (request, response) => (cutting ? request.socket.destroy() : giveJson(response, {})) },
  });
  let cutting = false;
  const { classic, overlay, reached } = place;
  const send = (id: number) => ask(overlay, CLASSIC, { method: "PUT", path: `${SEND}${id}`, body: {} });
  t.equal((await send(1)).body, "{}");
  cutting = true;
  t.equal(codeOf(await send(2)), "PINYON_HOMESERVER_ANSWER");
  t.same([classic.asked.length, reached.length], [2, 0], "it came once, and to nobody else");
  classic.node.leave();
  t.equal((await send(3)).body, '{"by":"the Internet"}');
  const searches = overlay.node.searches;
  t.equal((await send(4)).body, '{"by":"the Internet"}');
  t.equal(overlay.node.searches, searches, "it is known to be away");
  t.same([classic.asked.length, reached.length], [2, 2]);
  t.match(overlay.federation.stats, { bindingFallbacks: 2 });
});

t.test("a node that no longer speaks for the name has nothing sent to it", async (t) => {
  const { classic, overlay, reached } = await boundPlace(t);
  t.equal((await ask(overlay, CLASSIC, { path: VERSION })).status, 200);
  classic.node.leave();
  classic.node.isOnline = true;
  classic.node.stated = Promise.resolve(classic.node.name);
  overlay.federation.handleConnected();
  t.equal((await ask(overlay, CLASSIC, { path: VERSION })).body, '{"by":"the Internet"}');
  t.same([classic.asked.length, reached.length], [1, 1]);
});

t.test("a server without Internet knows it by a statement that was handed over", async (t) => {
  const { classic, network } = await boundPlace(t);
  const inside = await startServer(t, network);
  t.equal(codeOf(await ask(inside, CLASSIC, { path: VERSION })), "PINYON_CLASSIC_NAME");
  t.equal(codeOf(await ask(classic, inside.name, { path: VERSION })), "PINYON_ORIGIN");
  const { bindings } = inside.federation;
  const info = bindings.import(JSON.stringify({ "m.server": "x", "pinyon.node": statement(classic.node) }));
  t.match(info, { name: CLASSIC, node: classic.node.name, state: "bound", source: "file" });
  t.equal((await ask(inside, CLASSIC, { path: VERSION })).status, 200);
  t.equal((await ask(classic, inside.name, { path: VERSION })).status, 200);
  const again = await startServer(t, network, { seed: inside.node.seed, bindings: inside.pins.kept });
  t.equal((await ask(again, CLASSIC, { path: VERSION })).status, 200, "also after a restart");
  t.equal(again.federation.bindings.forget(CLASSIC), true);
  t.equal(codeOf(await ask(again, CLASSIC, { path: VERSION })), "PINYON_CLASSIC_NAME");
});

t.test("a server that was away is woken, or told, by both sides", async (t) => {
  const { classic, overlay } = await boundPlace(t);
  t.equal((await ask(classic, overlay.name, { method: "PUT", path: `${SEND}1`, body: {} })).status, 200);
  classic.asked.length = 0;
  overlay.federation.handleConnected();
  await until("the classic server is woken", () => classic.asked.some(({ url }) => url?.startsWith(`${SEND}pinyon-`)));
  classic.asked.length = 0;
  classic.federation.handleConnected();
  await until("it asks to be woken", () => classic.federation.stats.wakeUpsSent === 1);
  await until("and is", () => classic.asked.some(({ url }) => url?.startsWith(`${SEND}pinyon-`)));
});

t.test("its check asks it as another server, and looks what its name says", async (t) => {
  const verify = async ({ headers, url = "" }: IncomingMessage) => {
    const [signature] = readXMatrix([headers.authorization!]);
    const { origin } = signature!;
    t.equal((await ask(place.classic, origin, { path: "/_matrix/key/v2/server" })).status, 200);
    return verifyAuthorization(signature!, { method: "GET", path: url }, nameToKey(origin)!);
  };
  const directory = (request: IncomingMessage, response: ServerResponse) => {
    void verify(request).then((isGood) => response.writeHead(isGood ? 404 : 401).end("{}"));
  };
  const timers = new VirtualTimers();
  const place: BoundPlace = await boundPlace(t, {
    timers,
    answers: { "/_matrix/federation/v1/query/directory": directory },
  });
  const { classic, overlay, page: shown, internet } = place;
  // The machine of a homeserver has the address that its name leads to.
  internet.own = [...internet.hosts.values()].flat(2).filter((each) => typeof each === "string");
  const check = () => classic.federation.check();
  t.match(await check(), [
    { step: "listener", ok: true },
    { step: "key", ok: true, text: `it is ${CLASSIC}, and signs with a key of its own as ed25519:test` },
    { step: "outward", ok: true },
    {
      step: "binding",
      ok: true,
      text: /^https:\/\/matrix\.example\/\.well-known\/matrix\/server binds it to this node until /,
    },
  ]);
  const wrong: [give: typeof shown.give, text: RegExp][] = [
    [page(undefined), /does not bind it: put the output of `pinyon binding show` there as `pinyon\.node`/],
    [(response) => response.writeHead(500).end(), /cannot be fetched, or is no JSON/],
    [page(statement(overlay.node)), /binds it to another node/],
    [page(statement(classic.node, { name: "other.example" })), /binds other\.example, and not matrix\.example/],
    [page(statement(classic.node, { days: -1 })), /it is good for no time, or for too long/],
  ];
  for (const [give, text] of wrong) {
    shown.give = give;
    timers.advance(10_000);
    t.match((await check()).at(-1), { step: "binding", ok: false, text });
  }
  shown.give = page(statement(classic.node, { days: 20 }));
  timers.advance(10_000);
  t.match((await check()).at(-1), { ok: true, text: /which is soon: put the output .* there .* anew$/ });
});

/** What is answered in a tunnel of the homeserver's to a port of the classic name, and by whom. */
async function askByTunnel(from: TestServer, port: number, path: string) {
  const socket = connect(addressOf(from));
  const basic = Buffer.from(`pinyon:${SECRET}`).toString("base64");
  socket.write(`CONNECT ${CLASSIC}:${port} HTTP/1.1\r\nProxy-Authorization: Basic ${basic}\r\n\r\n`);
  const [head] = (await once(socket, "data")) as [Buffer];
  if (!head.toString().startsWith("HTTP/1.1 200 ")) return { issuer: "none", answer: head.toString() };
  const secured = connectTls({ socket, servername: CLASSIC, rejectUnauthorized: false });
  await once(secured, "secureConnect");
  const { CN: issuer } = secured.getPeerCertificate().issuer;
  const x = formatXMatrix(from.signer.authorization({ method: "GET", path, destination: CLASSIC }, KEY_ID));
  const fields = `Host: ${CLASSIC}:${port}\r\nConnection: close\r\nAuthorization: ${x}\r\n`;
  secured.write(`GET ${path} HTTP/1.1\r\n${fields}\r\n`);
  return { issuer, answer: await readAll(secured) };
}

t.test("a homeserver that asks by tunnels reaches it through the mesh as well, once its node is known", async (t) => {
  const { classic, overlay, reached } = await boundPlace(t, { answers: profile });
  const local = "Pinyon local authority";
  t.match(await askByTunnel(overlay, 8448, PROFILE), {
    issuer: "Authority of the tests",
    answer: '"by":"the Internet"',
  });
  t.equal(reached.length, 1, "TLS from end to end");
  t.equal((await ask(classic, overlay.name, { path: VERSION })).status, 200);
  t.match(await askByTunnel(overlay, 443, "/.well-known/matrix/server"), {
    issuer: local,
    answer: `{"m.server":"${CLASSIC}:8448"}`,
  });
  t.match(await askByTunnel(overlay, 8448, PROFILE), { issuer: local, answer: '{"ok":true}' });
  t.match(await askByTunnel(overlay, 443, "/_matrix/push/v1/notify"), { issuer: local, answer: "PINYON_PATH" });
  t.same([classic.asked.at(-1)!.url, reached.length], [PROFILE, 1]);
  classic.node.leave();
  t.match(await askByTunnel(overlay, 8448, PROFILE), { issuer: local, answer: '"by":"the Internet"' });
  overlay.federation.bindings.handleSaid(CLASSIC, {
    delegate: undefined,
    node: JSON.stringify(statement(overlay.node)),
    isSaid: true,
  });
  t.match(await askByTunnel(overlay, 8448, PROFILE), { issuer: "none", answer: "PINYON_BINDING_CHANGED" });
  t.equal(overlay.federation.stats.outboundErrors.PINYON_BINDING_CHANGED, 1);
});

t.test("a homeserver with settings of its own is never told to wait for it: nothing could wake it", async (t) => {
  const { classic, overlay, internet } = await boundPlace(t, { fastRetries: false });
  t.equal((await ask(overlay, CLASSIC, { path: VERSION })).status, 200);
  classic.node.leave();
  internet.host(CLASSIC);
  const answer = await ask(overlay, CLASSIC, { method: "PUT", path: `${SEND}1`, body: {} });
  t.equal(answer.status, 502);
});
