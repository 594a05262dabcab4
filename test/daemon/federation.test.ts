import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import t, { type Test } from "tap";
import { answerRequest } from "../../src/daemon/control-answers.js";
import type { InviteResult, ReportResult } from "../../src/daemon/control-protocol.js";
import type { Daemon } from "../../src/daemon/daemon.js";
import { type Endpoint, formatHttpUrl } from "../../src/daemon/endpoint.js";
import { initNode } from "../../src/daemon/init.js";
import { readKey } from "../../src/daemon/key-file.js";
import { configPath } from "../../src/daemon/state-folder.js";
import { statusOf } from "../../src/daemon/status.js";
import { makeBinding, statementOf } from "../../src/federation/binding/statement.js";
import { Signer, unpaddedBase64 } from "../../src/federation/signing.js";
import { formatXMatrix } from "../../src/federation/x-matrix.js";
import { TestAuthority } from "../federation/authority.js";
import { until } from "../link/until.js";
import { runningDaemon, uriOf } from "./running.js";
import { tempFolder } from "./temp-folder.js";

/* Daemons with federation, each beside a homeserver of the tests' own: what they keep, and in which order they start and stop. */

const SECRET = "the-secret-of-the-tests";
const KEY_ID = "ed25519:test";
const PROFILE = "/_matrix/federation/v1/query/profile?user_id=%40u%3Ax";
const SEND = "/_matrix/federation/v1/send/";
const hasIpv6 = Object.values(networkInterfaces()).some((card) => card?.some(({ address }) => address === "::1"));

/** A node's state folder, and the homeserver beside it. */
interface Place {
  readonly folder: string;
  readonly name: string;
  /** The name is the homeserver's own. */
  readonly isClassic: boolean;
  readonly signer: Signer;
  /** The homeserver's listener. */
  readonly url: Endpoint;
  /** Requests that reached the homeserver. */
  readonly asked: IncomingMessage[];
}

async function place(t: Test, socket?: string, classicName?: string): Promise<Place> {
  const folder = tempFolder(t);
  const { name: nodeName } = await initNode(folder, configPath(folder));
  const name = classicName ?? nodeName;
  const signer = new Signer((await readKey(folder))!, name);
  const asked: IncomingMessage[] = [];
  const keys = { server_name: name, verify_keys: { [KEY_ID]: { key: unpaddedBase64(signer.publicKey) } } };
  const homeserver = createServer((incoming, response) => {
    asked.push(incoming);
    response.end(JSON.stringify(incoming.url?.startsWith("/_matrix/key/") ? keys : {}));
  });
  homeserver.listen(socket === undefined ? { host: "127.0.0.1", port: 0 } : { path: join(folder, socket) });
  await once(homeserver, "listening");
  t.teardown(() => homeserver.close().closeAllConnections());
  const port = (homeserver.address() as AddressInfo).port;
  const url = socket === undefined ? { host: "127.0.0.1", port } : { path: join(folder, socket) };
  return { folder, name, isClassic: classicName !== undefined, signer, url, asked };
}

function start(t: Test, place: Place, listen: string, config: object = {}): Promise<Daemon> {
  const { folder, name, isClassic, url } = place;
  const homeserver = { ...(isClassic ? { name } : {}), url: formatHttpUrl(url), listen, secret: SECRET };
  return runningDaemon(t, { homeserver, ...config }, { folder });
}

/** The homeserver of one place asks that of another, and gives the status of its answer. */
async function ask(from: Place, daemon: Daemon, to: Place): Promise<number> {
  const address = daemon.federation!.address()!;
  const authorization = formatXMatrix(
    from.signer.authorization({ method: "GET", path: PROFILE, destination: to.name }, KEY_ID),
  );
  const outgoing = request({
    ...("path" in address ? { socketPath: address.path } : address),
    path: `https://${to.name}${PROFILE}`,
    headers: { "proxy-authorization": `Bearer ${SECRET}`, authorization, connection: "close" },
  }).end();
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  await text(answer);
  return answer.statusCode!;
}

t.test("requests pass by Unix sockets and IPv6, and again after a restart", async (t) => {
  const [a, b] = [await place(t), await place(t, "homeserver.sock")];
  const nodeB = await start(t, b, `unix:${join(b.folder, "federation.sock")}`);
  const nodeA = await start(t, a, hasIpv6 ? "[::1]:0" : "127.0.0.1:0", { peers: [uriOf(nodeB)] });
  await until("they are linked", () => nodeA.links.size === 1 && nodeB.links.size === 1);
  t.equal(await ask(a, nodeA, b), 200);
  t.equal(await ask(b, nodeB, a), 200);
  await nodeB.stop();
  const again = await start(t, b, `unix:${join(b.folder, "federation.sock")}`, { peers: [uriOf(nodeA)] });
  await until("they are linked again", () => again.links.size === 1);
  t.equal(await ask(b, again, a), 200);
  t.equal(await ask(a, nodeA, b), 200);
});

t.test("a node that is dialled as soon as it listens wakes the servers that it had to do with", async (t) => {
  const [a, b] = [await place(t), await place(t)];
  writeFileSync(join(b.folder, "wake-ups"), JSON.stringify({ recent: [a.name], owed: [] }));
  const first = await start(t, b, "127.0.0.1:0");
  const uri = uriOf(first);
  const nodeA = await start(t, a, "127.0.0.1:0", { peers: [uri] });
  await first.stop();
  const { port } = new URL(uri);
  const nodeB = await start(t, b, "127.0.0.1:0", { listen: [`127.0.0.1:${port}`] });
  await until("A's homeserver is woken", () =>
    a.asked.some(({ method, url }) => method === "PUT" && url?.startsWith(SEND)),
  );
  await until("B has heard that it was", () => nodeB.federation?.stats.wakeUpsSent === 1);
  t.equal(nodeA.faults + nodeB.faults, 0);
});

t.test("what federation keeps may be damaged: the node runs without it, and says so", async (t) => {
  const [a, b] = [await place(t), await place(t)];
  mkdirSync(join(a.folder, "keys"));
  writeFileSync(join(a.folder, "keys", b.name), "{broken");
  writeFileSync(join(a.folder, "wake-ups"), "{broken");
  const nodeA = await start(t, a, "127.0.0.1:0");
  t.match(nodeA.warnings.join("\n"), `${join(a.folder, "wake-ups")}: damaged; moved to`);
  t.ok(readdirSync(a.folder).some((file) => file.startsWith("wake-ups.damaged-")));
  const nodeB = await start(t, b, "127.0.0.1:0", { peers: [uriOf(nodeA)] });
  await until("they are linked", () => nodeB.links.size === 1);
  t.equal(await ask(b, nodeB, a), 200);
});

t.test("a node asks servers outside of the mesh where its config says so, and none of its own network", async (t) => {
  const a = await place(t);
  const to = { ...a, name: "127.0.0.1:8448" };
  const off = await start(t, a, "127.0.0.1:0");
  t.equal(await ask(a, off, to), 502);
  t.equal(off.federation?.stats.outboundErrors.PINYON_CLASSIC_NAME, 1);
  t.notMatch(off.warnings.join("\n"), "classic");
  await off.stop();
  const direct = await start(t, a, "127.0.0.1:0", { classic: "direct" });
  t.equal(await ask(a, direct, to), 502);
  t.equal(direct.federation?.stats.outboundErrors.PINYON_CLASSIC_ADDRESS, 1);
  t.match(direct.warnings.join("\n"), "a server whose name ends in `.alt`");
});

t.test(
  "a node lets another out to classic servers through the mesh, into no private network, and logs who",
  async (t) => {
    const [a, b] = [await place(t), await place(t)];
    const exit = await start(t, b, "127.0.0.1:0", { exit: { allow: [a.name] } });
    const config = { classic: "exit", exits: [b.name], peers: [uriOf(exit)] };
    const node = await start(t, a, "127.0.0.1:0", config);
    await until("they are linked", () => node.links.size === 1 && exit.links.size === 1);
    t.equal(await ask(a, node, { ...a, name: "127.0.0.1:8448" }), 502);
    t.equal(exit.federation?.stats.exitErrors.PINYON_CLASSIC_ADDRESS, 1);
    t.equal(node.federation?.stats.outboundErrors.PINYON_CLASSIC_ADDRESS, 1);
    t.equal(await ask(b, exit, { ...b, name: "127.0.0.1:8448" }), 502);
    t.equal(exit.federation?.stats.outboundErrors.PINYON_CLASSIC_NAME, 1, "it asks none for itself");
  },
);

t.test(
  "a gateway brings a classic server to a node that it invited, and a certificate for another name is told",
  async (t) => {
    const [a, b] = [await place(t), await place(t)];
    const suffix = "gw.example";
    const name = a.name.replace("pinyon.alt", suffix);
    const gateway = await start(t, b, "127.0.0.1:0", {
      gateway: { domain: suffix, listen: ["127.0.0.1:0"] },
    });
    const authority = await TestAuthority.make();
    const [certificate, key] = [join(a.folder, "cert.pem"), join(a.folder, "key.pem")];
    const install = async (dns: string) => {
      const made = await authority.certify({ dns: [dns] });
      writeFileSync(certificate, made.cert);
      writeFileSync(key, made.key);
    };
    const invite = { verb: "gateway-invite", uses: 1, days: 1 } as const;
    const { invitation } = (await answerRequest(gateway, invite)) as InviteResult;
    const gateways = { nodes: [b.name], invitations: [invitation], certificate, key };
    const config = { suffix, gateways, peers: [uriOf(gateway)] };
    await t.rejects(start(t, a, "127.0.0.1:0", config), { code: "PINYON_CONFIG", message: /ENOENT/ });
    await install("other.example");
    const told = { code: "PINYON_CONFIG", message: /it is for DNS:other\.example, and not for / };
    await t.rejects(start(t, a, "127.0.0.1:0", config), told);
    await install(name);
    const node = await start(t, a, "127.0.0.1:0", config);
    await until("they are linked", () => node.links.size === 1 && gateway.links.size === 1);
    await until("the invitation is taken", () => gateway.federation!.stats.invitationsAccepted === 1);
    t.match(await answerRequest(gateway, { verb: "gateway-status" }), { nodes: [{ name, standing: "invited" }] });
    const [address] = gateway.federation!.gatewayAddresses() as [{ host: string; port: number }];
    const secured = connectTls({ ...address, servername: name, ca: authority.certificatePem });
    await once(secured, "secureConnect");
    secured.write(`GET /.well-known/matrix/server HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
    t.match(await text(secured), `{"m.server":"${name}:443"}`);
    const query = { verb: "report", way: "gateway", host: "127.0.0.1", sinceMs: 0, untilMs: Date.now() } as const;
    const reported = async () => (await answerRequest(gateway, query)) as ReportResult;
    await until("the use is over", () => gateway.federation!.openUses().length === 0);
    t.match(await reported(), { count: 1, uses: [{ node: name, host: "127.0.0.1", port: address.port }] });
  },
);

t.test("a gateway ends TLS with its own certificate for a node that lets it, and warns before that ends", async (t) => {
  const [a, b] = [await place(t), await place(t)];
  const suffix = "gw.example";
  const name = a.name.replace("pinyon.alt", suffix);
  const authority = await TestAuthority.make();
  const [certificate, key] = [join(b.folder, "cert.pem"), join(b.folder, "key.pem")];
  const install = async (dns: string) => {
    const made = await authority.certify({ dns: [dns], validMs: 3_600_000 });
    writeFileSync(certificate, made.cert);
    writeFileSync(key, made.key);
  };
  await install(name);
  const ends = { domain: suffix, listen: ["127.0.0.1:0"], allow: [name], terminate: true, certificate, key };
  const told = { code: "PINYON_CONFIG", message: /`gateway\.certificate` cannot be used: .* not for \*\.gw\.example/ };
  await t.rejects(start(t, b, "127.0.0.1:0", { gateway: ends }), told);
  await install("*.gw.example");
  const gateway = await start(t, b, "127.0.0.1:0", { gateway: ends });
  t.match(gateway.warnings.join("\n"), /the certificate for \*\.gw\.example ends on .*: no newer one has come/);
  t.match(gateway.federation!.certificateDaysLeft(), [["gateway", Number]]);
  const config = { suffix, gateways: { nodes: [b.name], terminate: true }, peers: [uriOf(gateway)] };
  const node = await start(t, a, "127.0.0.1:0", config);
  await until("they are linked", () => node.links.size === 1 && gateway.links.size === 1);
  const [address] = gateway.federation!.gatewayAddresses() as [{ host: string; port: number }];
  const secured = connectTls({ ...address, servername: name, ca: authority.certificatePem });
  await once(secured, "secureConnect");
  secured.write(`GET /_matrix/key/v2/server HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
  t.match(await text(secured), `"server_name":"${a.name}"`);
  t.equal(node.federation?.stats.inboundAnswers, 1);
});

t.test("a classic server with a node of its own talks through the mesh under its own name", async (t) => {
  const [a, b] = [await place(t, undefined, "matrix.example"), await place(t)];
  const nodeB = await start(t, b, "127.0.0.1:0");
  const nodeA = await start(t, a, "127.0.0.1:0", { peers: [uriOf(nodeB)] });
  t.match(nodeA.warnings.join("\n"), "set `classic: direct`");
  t.match(statusOf(nodeA), { name: nodeA.name, homeserver: { name: "matrix.example" } });
  await until("they are linked", () => nodeA.links.size === 1 && nodeB.links.size === 1);
  t.equal(await ask(a, nodeA, b), 403, "nobody knows yet that the name is its own");
  const { inboundErrors, bindingClaimsRefused } = nodeB.federation!.stats;
  t.same([inboundErrors.PINYON_ORIGIN, bindingClaimsRefused], [1, 1]);
  const statement = (key: Uint8Array) =>
    JSON.stringify(statementOf(makeBinding(new Signer(key, ""), a.name, Date.now(), Date.now() + 86_400_000)));
  const seed = (await readKey(a.folder))!;
  await answerRequest(nodeB, { verb: "binding-import", text: statement(seed) });
  t.equal(await ask(a, nodeA, b), 200);
  t.match(b.asked.at(-1)!.headers.authorization, 'origin="matrix.example"');
  t.equal(await ask(b, nodeB, a), 200);
  t.match(a.asked.at(-1)!.headers.host, "matrix.example");
  const bindings = () => answerRequest(nodeB, { verb: "bindings" });
  t.match(await bindings(), [{ name: "matrix.example", node: nodeA.name, state: "bound", source: "file" }]);
  await nodeB.stop();
  const again = await start(t, b, "127.0.0.1:0", { peers: [uriOf(nodeA)] });
  await until("they are linked again", () => again.links.size === 1);
  t.equal(await ask(b, again, a), 200, "it is kept");
  const other = statement(Buffer.alloc(32, 3));
  again.federation!.bindings.handleSaid(a.name, { delegate: undefined, node: other, isSaid: true });
  t.match(
    statusOf(again).warnings.join("\n"),
    /matrix\.example was bound to .*`pinyon binding forget matrix\.example` believes/,
  );
  t.equal(await ask(b, again, a), 502);
  t.equal(await answerRequest(again, { verb: "binding-forget", name: a.name }), true);
  t.notMatch(statusOf(again).warnings.join("\n"), "matrix.example");
});

t.test("a node that cannot start federation says why, and leaves nothing behind", async (t) => {
  const a = await place(t);
  const taken = createTcpServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  await t.rejects(start(t, a, `127.0.0.1:${port}`), {
    code: "PINYON_LISTEN",
    message: new RegExp(`^127\\.0\\.0\\.1:${port}: another program listens there: .*homeserver\\.listen`),
  });
  await t.rejects(start(t, a, `unix:${join(a.folder, "none", "socket")}`), { code: "PINYON_LISTEN" });
  rmSync(join(a.folder, "ca.key"));
  await t.rejects(start(t, a, "127.0.0.1:0"), { code: "PINYON_STATE", message: /ca\.pem: its key is not in ca\.key/ });
  rmSync(join(a.folder, "ca.pem"));
  rmSync(join(a.folder, "keys"), { recursive: true });
  writeFileSync(join(a.folder, "keys"), "");
  await t.rejects(start(t, a, "127.0.0.1:0"), { code: "PINYON_STATE", message: /EEXIST.*keys/ });
  rmSync(join(a.folder, "keys"));
  const node = await start(t, a, "127.0.0.1:0");
  t.equal(node.faults, 0);
});
