import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTls } from "node:tls";
import t, { type Test } from "tap";
import { REQUEST_HEAD_TIMEOUT_MS } from "../../src/federation/config.js";
import type { FederationCode } from "../../src/federation/errors.js";
import { CLASSIC_IDLE_MAX, CLASSIC_REQUESTS_MAX } from "../../src/federation/gateway/config.js";
import { Signer } from "../../src/federation/signing.js";
import { formatXMatrix } from "../../src/federation/x-matrix.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { PROFILE } from "./attacking.js";
import {
  CLASSIC,
  DOMAIN,
  dial,
  type GatewayPlace,
  gatewayPlace,
  get,
  hex,
  mustServe,
  mustServeWhole,
  say,
} from "./gateway-place.js";
import { readAll } from "./listening.js";
import { askRaw, VERSION } from "./raw-node.js";
import { KEY_ID, startServer } from "./server.js";

/*
 * Classic servers that reach a server of the overlay by a gateway that ends their TLS, in place of a node that lets it.
 */

const terminated = (t: Test, timers?: VirtualTimers) => gatewayPlace(t, timers, {}, true);

/** Opens TLS with the gateway, for the server. */
async function open(scene: GatewayPlace) {
  const { server, authority } = scene;
  const secured = connectTls({ socket: dial(scene), servername: server.name, ca: authority.certificatePem });
  await once(secured, "secureConnect");
  return secured.on("error", () => {});
}

t.test("a gateway with a wildcard certificate ends TLS for a node that lets it, and brings each request", async (t) => {
  const scene = await terminated(t);
  const { server, gateway } = scene;
  await mustServeWhole(t, scene);
  const { stats } = gateway.federation;
  await until("the connections are over", () => stats.gatewayAnswers === 6);
  t.same([stats.gatewayConnections, stats.gatewayRequests, stats.inboundRequests], [6, 5, 0]);
  t.equal(server.federation.stats.inboundErrors.PINYON_GATEWAY_TERMINATE, 6, "it was asked first to take each itself");
});

t.test("what is of one connection alone, or is trusted from a proxy, does not pass", async (t) => {
  const scene = await terminated(t);
  const fields = [
    ["X-Forwarded-For", "10.0.0.1"],
    ["Pinyon-Classic", "1"],
    ["X-Matrix", "forged"],
    ["Keep-Alive", "timeout=5"],
    ["TE", "trailers"],
    ["Accept", "application/json"],
    ["Range", "bytes=0-1"],
  ];
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const request = get(scene, VERSION, { fields: head }).replace("Connection: close", "Connection: close, range");
  t.match(await say(scene, request), /^HTTP\/1\.1 200 /);
  const { headers } = scene.server.asked.at(-1)!;
  t.same(Object.keys(headers).sort(), ["accept", "authorization", "connection", "host"]);
  t.match(headers.authorization, 'origin="classic.example"');
});

t.test("10 MB pass each way, and an answer that breaks off is no whole one", async (t) => {
  const scene = await terminated(t);
  const { server } = scene;
  let isCut = false;
  server.homeserver.removeAllListeners("request").on("request", (request, response) => {
    if (isCut) response.writeHead(200, { "content-length": "100" }).write("half", () => response.destroy());
    else request.pipe(response);
  });
  const path = "/_matrix/federation/v1/send/1";
  const x = formatXMatrix(
    CLASSIC.authorization({ method: "PUT", path, destination: server.name, content: {} }, KEY_ID),
  );
  const secured = await open(scene);
  const answer = readAll(secured);
  secured.write(
    `PUT ${path} HTTP/1.1\r\nHost: ${server.name}\r\nConnection: close\r\nContent-Length: 10000000\r\nAuthorization: ${x}\r\n\r\n`,
  );
  secured.write(Buffer.alloc(10_000_000, "x"));
  t.ok((await answer).split("\r\n\r\n")[1]!.replaceAll(/\r\n[0-9a-f]*\r\n/g, "").length >= 10_000_000);
  isCut = true;
  t.notMatch(await say(scene, get(scene, VERSION)), /half.*\r\n\r\n$/s);
});

t.test("what passes is counted, and a node that has used up its day is cut", async (t) => {
  const quota = { streams: 10, connectsPerMinute: 100, bytesPerDay: 100_000 };
  const scene = await gatewayPlace(t, undefined, { quota }, true);
  const { server, gateway } = scene;
  await mustServe(t, scene);
  await until("it is over", () => gateway.used.length === 1);
  t.ok(gateway.used[0]!.sizeBytes > 2_000);
  server.homeserver.removeAllListeners("request").on("request", (_request, response) => {
    response.end(Buffer.alloc(1_000_000, "x"));
  });
  t.ok((await say(scene, get(scene, VERSION))).length < 1_000_000);
  const { stats } = gateway.federation;
  await until("it is told", () => stats.gatewayErrors.PINYON_GATEWAY_QUOTA > 0);
  t.ok(stats.gatewayBytes < 500_000);
});

t.test("heads that two readers may read in two ways are refused at the gateway, and counted", async (t) => {
  const scene = await terminated(t);
  const { server, gateway } = scene;
  const { gatewayErrors } = gateway.federation.stats;
  const hidden = "GET /_synapse/admin/v1/users HTTP/1.1\r\nHost: x\r\n\r\n";
  const fields = (text: string) => get(scene, PROFILE, { fields: text });
  const put = (text: string) => fields(text).replace("GET", "PUT") + hidden;
  const attacks: [bytes: string, code: FederationCode][] = [
    [put("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "PINYON_HEADERS"],
    [put("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "PINYON_HEADERS"],
    [put("Content-Length: 5\r\nContent-Length: 6\r\n"), "PINYON_HEADERS"],
    [put("Content-Length: +5\r\n"), "PINYON_HEADERS"],
    [put("Transfer-Encoding: gzip, chunked\r\n"), "PINYON_HEADERS"],
    [put("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "PINYON_HEADERS"],
    [put("Transfer-Encoding : chunked\r\n"), "PINYON_HEADERS"],
    [put("Transfer-Encoding:\x0bchunked\r\n"), "PINYON_HEADERS"],
    [fields("X: a\rb\r\n"), "PINYON_HEADERS"],
    [fields("X: a\r\n folded\r\n"), "PINYON_HEADERS"],
    [fields("X: a\0b\r\n"), "PINYON_HEADERS"],
    [fields(":path: /_synapse/admin\r\n"), "PINYON_HEADERS"],
    [fields(`Host: ${server.name}\r\n`), "PINYON_HEADERS"],
    [fields("").replace("HTTP/1.1", "HTTP/1.0"), "PINYON_HEADERS"],
    [fields(`X: ${"y".repeat(40_000)}\r\n`), "PINYON_HEADERS"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PINYON_HEADERS"],
    [get(scene, PROFILE, { host: "classic.example" }), "PINYON_DESTINATION"],
    [get(scene, "/_matrix/client/versions"), "PINYON_PATH"],
    [get(scene, `http://${server.name}${PROFILE}`), "PINYON_PATH"],
    [get(scene, "/_matrix/federation/v1/..%2fclient"), "PINYON_PATH"],
    [get(scene, "/_pinyon/v1/wake").replace("GET", "POST"), "PINYON_PATH"],
    [fields("").replace(/Authorization.*\r\n/, ""), "PINYON_AUTHORIZATION"],
    [fields('Authorization: X-Matrix origin="b.example"\r\n'), "PINYON_AUTHORIZATION"],
    [fields("").replace(`destination="${server.name}"`, 'destination="b.example"'), "PINYON_DESTINATION"],
  ];
  server.asked.length = 0;
  for (const [bytes, code] of attacks) {
    const counted = gatewayErrors[code];
    const [said] = await Promise.all([say(scene, bytes), mustServe(t, scene)]);
    t.match(said, `"errcode":"${code}"`, bytes.slice(0, 300));
    t.notMatch(said, /^HTTP\/1\.1 2/m);
    t.equal(gatewayErrors[code], counted + 1);
  }
  t.same(new Set(server.asked.map(({ url }) => url)), new Set([VERSION]), "nothing else reached the homeserver");
});

t.test("an origin of the overlay is refused, at the gateway and behind one that lets it pass", async (t) => {
  const scene = await terminated(t);
  const { network, server, gateway } = scene;
  const forger = network.join();
  const names = [forger.name, server.name, server.name.toUpperCase(), "localhost", gateway.name];
  for (const name of names) {
    const signer = new Signer(forger.seed, name);
    const refused = [gateway.federation.stats.gatewayErrors, server.federation.stats.inboundErrors] as const;
    const counted = refused.map(({ PINYON_ORIGIN }) => PINYON_ORIGIN);
    t.match(await say(scene, get(scene, PROFILE, { signer })), /"errcode":"PINYON_ORIGIN"/, name);
    const x = formatXMatrix(signer.authorization({ method: "GET", path: PROFILE, destination: server.name }, KEY_ID));
    const head = { ":path": PROFILE, "pinyon-classic": "1", "x-matrix": x };
    t.same(await askRaw(gateway, server, head), { status: 403, code: "PINYON_ORIGIN" }, name);
    t.same(
      refused.map(({ PINYON_ORIGIN }) => PINYON_ORIGIN),
      counted.map((count) => count + 1),
    );
    await mustServe(t, scene);
  }
});

t.test("nobody but a gateway that a node lets end TLS brings it requests of classic servers", async (t) => {
  const scene = await terminated(t);
  const { network, server, gateway, allow, authority } = scene;
  const x = (to: string) =>
    formatXMatrix(CLASSIC.authorization({ method: "GET", path: PROFILE, destination: to }, KEY_ID));
  const bring = (from: typeof gateway, to: typeof server, value = "1") =>
    askRaw(from, to, { ":path": PROFILE, "pinyon-classic": value, "x-matrix": x(to.name) });
  const stranger = await startServer(t, network);
  const closed = await startServer(t, network, { suffix: DOMAIN });
  const { cert: certificate, key } = await authority.certify({ dns: ["*.gw.example"] });
  const own = await startServer(t, network, {
    suffix: DOMAIN,
    front: async () => ({
      gateways: new Set([hex(gateway.node)]),
      certificate: async () => ({ certificate, key }),
    }),
  });
  for (const [from, to, value] of [
    [stranger, server, "1"],
    [gateway, closed, "1"],
    [gateway, own, "1"],
    [gateway, server, "0"],
    [gateway, server, "1, 1"],
  ] as const) {
    const counted = to.federation.stats.inboundErrors.PINYON_GATEWAY_FORBIDDEN;
    t.same(await bring(from, to, value), { status: 403, code: "PINYON_GATEWAY_FORBIDDEN" });
    t.equal(to.federation.stats.inboundErrors.PINYON_GATEWAY_FORBIDDEN, counted + 1);
    await mustServe(t, scene);
  }
  t.equal((await bring(gateway, server)).status, 404, "the homeserver's own answer");
  const unmarked = await askRaw(gateway, server, { ":path": PROFILE, "x-matrix": x(server.name) });
  t.equal(unmarked.code, "PINYON_ORIGIN", "without the mark it speaks for itself alone");
  allow.add(hex(own.node));
  const passed = { ...scene, server: own };
  t.match(await say(passed, get(passed, VERSION)), /^HTTP\/1\.1 200 /, "a node with a certificate has TLS to itself");
  t.equal(own.federation.stats.inboundErrors.PINYON_GATEWAY_TERMINATE, 0);
});

t.test("a gateway without a certificate ends no TLS, and one does for no other name", async (t) => {
  const scene = await gatewayPlace(t);
  const { network, gateway, allow } = scene;
  const trusting = await startServer(t, network, {
    suffix: DOMAIN,
    front: async () => ({ gateways: new Set([hex(gateway.node)]), certificate: undefined }),
  });
  allow.add(hex(trusting.node));
  await t.rejects(say({ ...scene, server: trusting }, ""), { code: "ECONNRESET" });
  t.equal(gateway.federation.stats.gatewayErrors.PINYON_GATEWAY_TERMINATE, 1);
  await mustServe(t, scene);
  const ending = await terminated(t);
  const secured = connectTls({ socket: dial(ending), servername: "matrix.org", ca: ending.authority.certificatePem });
  await t.rejects(once(secured, "secureConnect"), { code: /UNRECOGNIZED_NAME/ });
  t.equal(ending.gateway.federation.stats.gatewayErrors.PINYON_GATEWAY_NAME, 1);
  await mustServe(t, ending);
});

t.test("HTTP/2 is not offered: who knows nothing else is told so in TLS", async (t) => {
  const scene = await terminated(t);
  const { server, authority } = scene;
  const options = { servername: server.name, ca: authority.certificatePem };
  const both = connectTls({ ...options, socket: dial(scene), ALPNProtocols: ["h2", "http/1.1"] });
  await once(both, "secureConnect");
  t.equal(both.alpnProtocol, "http/1.1");
  both.destroy();
  for (const ALPNProtocols of [["h2"], ["acme-tls/1"]]) {
    const only = connectTls({ ...options, socket: dial(scene), ALPNProtocols });
    await t.rejects(once(only, "secureConnect"), { code: /NO_APPLICATION_PROTOCOL/ });
  }
  const unasked = connectHttp2(`https://${server.name}`, {
    createConnection: () => connectTls({ ...options, socket: dial(scene) }),
  });
  await t.rejects(once(unasked, "remoteSettings"), { code: /^ERR_HTTP2/ });
  unasked.destroy();
  await mustServe(t, scene);
});

t.test("who begins no request, or ends none, is cut; of many that wait the longest, too", async (t) => {
  const timers = new VirtualTimers();
  const scene = await terminated(t, timers);
  const silent = await open(scene);
  const slow = await open(scene);
  const idle = await open(scene);
  slow.write("GET / HTTP/1.1\r\nX: ");
  idle.write(get(scene, VERSION).replace("Connection: close\r\n", ""));
  const [answer] = (await once(idle, "data")) as [Buffer];
  t.match(answer.toString(), "HTTP/1.1 200 OK");
  const ended = [silent, slow, idle].map((socket) => readAll(socket));
  await mustServe(t, scene);
  timers.advance(REQUEST_HEAD_TIMEOUT_MS);
  await Promise.all(ended);
  const first = await open(scene);
  const firstEnded = readAll(first);
  for (let i = 0; i < CLASSIC_IDLE_MAX; i++) await open(scene);
  await firstEnded;
  await mustServe(t, scene);
});

t.test("requests that do not wait for the answers before them are bounded", async (t) => {
  const scene = await terminated(t);
  const { server, gateway } = scene;
  server.homeserver.removeAllListeners("request").on("request", (request, response) => {
    server.asked.push(request);
    setTimeout(() => response.end("{}"), 100);
  });
  const secured = await open(scene);
  const request = get(scene, VERSION).replace("Connection: close\r\n", "");
  secured.write(request.repeat(CLASSIC_REQUESTS_MAX + 3));
  const { gatewayErrors } = gateway.federation.stats;
  await until("those over the bound are refused", () => gatewayErrors.PINYON_BUSY === 3);
  await mustServe(t, scene);
  t.equal(server.asked.length, CLASSIC_REQUESTS_MAX + 1);
});
