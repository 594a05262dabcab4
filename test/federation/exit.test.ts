import { once } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import t, { type Test } from "tap";
import type { MachineNetwork } from "../../src/federation/classic/network.js";
import { CLIENT_HELLO_TIMEOUT_MS } from "../../src/federation/config.js";
import type { FederationCode } from "../../src/federation/errors.js";
import {
  EXIT_IDLE_MS,
  EXIT_PROBE_MS,
  EXIT_PROBED_FOR_MS,
  EXIT_SILENCE_MS,
  EXIT_WATCH_MS,
} from "../../src/federation/exit/config.js";
import type { ExitRules } from "../../src/federation/exit/exit.js";
import type { Timers } from "../../src/federation/overlay.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { PROFILE } from "./attacking.js";
import { TestAuthority } from "./authority.js";
import { answers, passBodies } from "./classic-place.js";
import { clientHello } from "./hellos.js";
import { delegates, TestInternet } from "./internet.js";
import { TestNetwork, type TestNode } from "./network.js";
import { ask, codeOf, startServer, type TestServer, unique } from "./server.js";
import { mustSettle } from "./settling.js";

/*
 * Servers without Internet, by the exit of another node, to servers of the classic federation.
 */

/** A machine that is on no network. */
const NO_INTERNET: MachineNetwork = {
  resolver: () => {
    throw new Error("there is no DNS");
  },
  connect: () => {
    throw new Error("there is no Internet");
  },
  ownAddresses: () => [],
};

const QUOTA = { streams: 100, connectsPerMinute: 10_000, bytesPerDay: 1e9 };

interface Place {
  readonly network: TestNetwork;
  readonly authority: TestAuthority;
  /** What the exit sees. */
  readonly internet: TestInternet;
  readonly exit: TestServer;
  /** Uses the exit. */
  readonly server: TestServer;
}

async function place(t: Test, rules: Partial<ExitRules> = {}, timers?: Timers): Promise<Place> {
  const network = new TestNetwork();
  const authority = await TestAuthority.make();
  const internet = new TestInternet(t, authority);
  internet.own = ["8.0.0.99"];
  const allow = new Set<string>();
  const common = { authorities: [authority.certificatePem], ...(timers === undefined ? {} : { timers }) };
  const exit = await startServer(t, network, {
    ...common,
    machine: internet,
    exit: { allow, deny: [], quota: QUOTA, ...rules },
  });
  const server = await startServer(t, network, {
    ...common,
    machine: NO_INTERNET,
    classic: { exits: [exit.node.key] },
  });
  allow.add(hex(server.node));
  internet.host("honest.example", "8.0.0.1");
  await internet.server("8.0.0.1", 8448, { dns: ["honest.example"] }, answers);
  return { network, authority, internet, exit, server };
}

const hex = ({ key }: TestNode) => Buffer.from(key).toString("hex");

async function mustServe(t: Test, { server }: Place): Promise<void> {
  t.equal((await ask(server, "honest.example", { path: PROFILE })).status, 200, "an honest request succeeds meanwhile");
}

t.test("a server without Internet finds and reaches classic ones by an exit, with TLS from end to end", async (t) => {
  const { internet, server, exit } = await place(t);
  internet.host("delegating.example", "8.0.0.3");
  internet.host("to-port.example", "8.0.0.5");
  internet.host("delegate.example", "8.0.0.4");
  internet.host("target.example", "8.0.0.10");
  internet.service("_matrix-fed._tcp.srv.example", "target.example", 8100);
  internet.service("_matrix._tcp.old-srv.example", "Target.example", 443);
  const wellKnown = (address: string, name: string, to: string) =>
    internet.server(address, 443, { dns: [name] }, delegates(to));
  await wellKnown("8.0.0.3", "delegating.example", "delegate.example");
  await wellKnown("8.0.0.5", "to-port.example", "delegate.example:8449");
  const cases: [name: string, address: string, port: number, host: string, sni: string | false][] = [
    ["delegating.example", "8.0.0.4", 8448, "delegate.example", "delegate.example"],
    ["to-port.example", "8.0.0.4", 8449, "delegate.example:8449", "delegate.example"],
    ["srv.example", "8.0.0.10", 8100, "srv.example", "srv.example"],
    ["old-srv.example", "8.0.0.10", 443, "old-srv.example", "old-srv.example"],
    ["[2606:4700::9]:443", "2606:4700::9", 443, "[2606:4700::9]:443", false],
    ["8.0.0.11", "8.0.0.11", 8448, "8.0.0.11", false],
  ];
  for (const [name, address, port, host, sni] of cases) {
    const subject = sni === false ? { ip: [address] } : { dns: [sni] };
    const reached = await internet.server(address, port, subject, answers);
    const answer = await ask(server, name, { path: PROFILE });
    t.same([answer.status, answer.body], [200, '{"ok":true}'], name);
    t.same(
      reached.map((each) => [each.host, each.sni]),
      [[host, sni]],
      name,
    );
  }
  const { stats } = exit.federation;
  t.equal(stats.inboundRequests, 0, "its homeserver hears nothing of it");
  await server.federation.stop();
  await until("every stream is over", () => stats.exitRequests === stats.exitAnswers + sum(stats.exitErrors));
  t.ok(stats.exitBytes > 10_000);
  const [use] = exit.used.filter(({ host }) => host === "target.example");
  t.match(use, { key: hex(server.node), host: "target.example", port: 8100 });
  t.ok(use!.sizeBytes > 1_000);
});

t.test("bodies of 20 MB pass through an exit both ways, and a connection is used again", async (t) => {
  const { internet, server, network } = await place(t);
  await passBodies(t, internet, server);
  await server.federation.stop();
  await mustSettle(network, [server]);
});

t.test("an exit tells why a server cannot be reached, and what it may not reach it refuses", async (t) => {
  const scene = await place(t, { deny: ["denied.example"] });
  const { internet, server, exit } = scene;
  internet.host("closed.example", "8.0.0.2");
  internet.host("mail.example", "8.0.0.3");
  internet.host("a.denied.example", "8.0.0.4");
  internet.service("_matrix-fed._tcp.low.example", "mail.example", 25);
  const causes: [name: string, code: FederationCode][] = [
    ["none.example", "PINYON_CLASSIC_LOOKUP"],
    ["closed.example", "PINYON_CLASSIC_CONNECT"],
    ["mail.example:25", "PINYON_CONNECT_TARGET"],
    ["mail.example:9000", "PINYON_CONNECT_TARGET"],
    ["low.example", "PINYON_CONNECT_TARGET"],
    ["a.denied.example", "PINYON_EXIT_FORBIDDEN"],
    ["denied.example:8448", "PINYON_EXIT_FORBIDDEN"],
  ];
  for (const [i, address] of FORBIDDEN.entries()) {
    internet.host(`n${i}.example`, address);
    const literal = address.includes(":") ? `[${address}]` : address;
    causes.push([`n${i}.example`, "PINYON_CLASSIC_ADDRESS"], [literal, "PINYON_CLASSIC_ADDRESS"]);
  }
  for (const [name, code] of causes) {
    const counted = exit.federation.stats.exitErrors[code];
    const [answer] = await Promise.all([ask(server, name, { path: PROFILE }), mustServe(t, scene)]);
    t.equal(codeOf(answer), code, name);
    t.ok(exit.federation.stats.exitErrors[code] > counted, `${name}: the exit counts it`);
  }
  const touched = internet.connected.map((each) => each.split(" ")[0]!);
  t.notOk(touched.some((each) => FORBIDDEN.includes(each) || ["8.0.0.3", "8.0.0.4"].includes(each)));
});

const FORBIDDEN = [
  ...["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "fe80::1", "fd00::1"],
  ...["::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "8.0.0.99"],
];

/** Asks an exit with a head of its own making; gives the stream and the head of the answer. */
async function askRaw(from: TestNode, { node }: TestServer, headers: Record<string, string>) {
  const remote = await from.connect(node.key);
  const stream: ClientHttp2Stream = remote.request({ ":method": "CONNECT", ...headers });
  stream.on("error", () => {});
  const [head] = (await once(stream, "response")) as [Record<string, unknown>];
  return { stream, status: head[":status"], code: head["pinyon-code"] };
}

t.test("an exit is closed to whom it does not name, and a new key gains nothing", async (t) => {
  const scene = await place(t);
  const { network, exit, internet } = scene;
  for (let i = 0; i < 5; i++) {
    const stranger = network.join();
    const told = await askRaw(stranger, exit, { ":authority": "honest.example:8448" });
    t.same([told.status, told.code], [502, "PINYON_EXIT_FORBIDDEN"]);
    const asked = { ":method": "GET", ":authority": "exit", ":path": "/_pinyon/v1/services/_matrix._tcp.a.example" };
    t.equal((await askRaw(stranger, exit, asked)).code, "PINYON_EXIT_FORBIDDEN");
  }
  t.equal(exit.federation.stats.exitErrors.PINYON_EXIT_FORBIDDEN, 10);
  t.same([internet.asked, internet.connected, exit.used], [[], [], []], "nothing was looked up, and nothing is kept");
  await mustServe(t, scene);
  const closed = await startServer(t, network);
  const told = await askRaw(network.join(), closed, { ":authority": "honest.example:8448" });
  t.equal(told.code, "PINYON_EXIT_FORBIDDEN", "a node that is no exit says the same");
});

t.test("a stream that does not begin with TLS for its server is cut before a byte of it goes out", async (t) => {
  const timers = new VirtualTimers();
  const scene = await place(t, {}, timers);
  const { server, exit, internet } = scene;
  const { exitErrors } = exit.federation.stats;
  let heard = 0;
  internet.host("raw.example", "8.0.0.2");
  await internet.tcpServer("8.0.0.2", 443, (socket) => socket.on("data", () => heard++));
  const other = await clientHello({ servername: "other.example" });
  const right = await clientHello({ servername: "raw.example" });
  const beginnings: Record<string, Buffer> = {
    SMTP: Buffer.from("EHLO x\r\nMAIL FROM:<a@b>\r\n"),
    HTTP: Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    "TLS for another": other,
    "TLS for none": await clientHello({}),
    "half of it": right.subarray(0, 100),
    nothing: Buffer.alloc(0),
  };
  for (const [what, bytes] of Object.entries(beginnings)) {
    const counted = exitErrors.PINYON_EXIT_HELLO;
    const { stream, status } = await askRaw(server.node, exit, { ":authority": "raw.example:443" });
    t.equal(status, 200);
    const closed = closeOf(stream);
    if (bytes.length > 0) stream.write(bytes);
    await mustServe(t, scene);
    if (bytes.length <= 100 && !what.includes("P")) timers.advance(CLIENT_HELLO_TIMEOUT_MS);
    await closed;
    t.equal(exitErrors.PINYON_EXIT_HELLO, counted + 1, what);
  }
  t.equal(heard, 0);
  const { stream } = await askRaw(server.node, exit, { ":authority": "raw.example:443" });
  for (let at = 0; at < right.length; at += 60) {
    stream.write(right.subarray(at, at + 60));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until("in ten pieces it passes", () => heard > 0);
  const ended = closeOf(stream);
  timers.advance(EXIT_IDLE_MS);
  await ended;
});

t.test("streams of a node that is listed no more, and to a host that is denied, are cut at once", async (t) => {
  const scene = await place(t);
  const { network, internet, exit, server } = scene;
  const other = network.join();
  const rules = (keys: TestNode[], deny: string[] = []) => ({ allow: new Set(keys.map(hex)), deny, quota: QUOTA });
  exit.federation.setExitRules(rules([server.node, other]));
  for (const name of ["one.example", "two.example"]) {
    internet.host(name, "8.0.0.2");
  }
  await internet.tcpServer("8.0.0.2", 443, (socket) => socket.resume());
  const open = async (from: TestNode, servername: string) => {
    const { stream } = await askRaw(from, exit, { ":authority": `${servername}:443` });
    stream.write(await clientHello({ servername }));
    return stream;
  };
  const [ofOther, toTwo, toOne] = [
    await open(other, "one.example"),
    await open(server.node, "two.example"),
    await open(server.node, "one.example"),
  ];
  const ended = [ofOther, toTwo].map(closeOf);
  t.equal(exit.federation.openUses().length, 3);
  exit.federation.setExitRules(rules([server.node], ["two.example"]));
  await Promise.all(ended);
  t.notOk(toOne.closed, "the others stay");
  t.equal((await askRaw(other, exit, { ":authority": "one.example:443" })).code, "PINYON_EXIT_FORBIDDEN");
  await until("they are written down", () => exit.used.length === 2);
  t.match(exit.used, [
    { way: "exit", address: "127.0.0.1" },
    { way: "exit", address: "127.0.0.1" },
  ]);
  await mustServe(t, scene);
  toOne.destroy();
});

t.test("heads that are no question to an exit are refused", async (t) => {
  const scene = await place(t);
  const { server, exit, internet } = scene;
  internet.service("_matrix-fed._tcp.srv.example", "target.example", 8100);
  internet.host("target.example", "8.0.0.2");
  const heads: [head: Record<string, string>, code: FederationCode][] = [
    [{ ":authority": "honest.example" }, "PINYON_CONNECT_TARGET"],
    [{ ":authority": "localhost:8448" }, "PINYON_CONNECT_TARGET"],
    [{ ":authority": "user@honest.example:8448" }, "PINYON_CONNECT_TARGET"],
    [{ ":authority": "honest.example:22" }, "PINYON_CONNECT_TARGET"],
    [{ ":authority": "target.example:8100" }, "PINYON_CONNECT_TARGET"],
    [{ ":authority": "target.example:8101", "pinyon-server": "srv.example" }, "PINYON_CONNECT_TARGET"],
    [{ ":authority": "honest.example:8100", "pinyon-server": "srv.example" }, "PINYON_CONNECT_TARGET"],
    [{ ":authority": "target.example:8100", "pinyon-server": "target.example:8100" }, "PINYON_CONNECT_TARGET"],
    [{ ":authority": "target.example:8100", "pinyon-server": "localhost" }, "PINYON_CONNECT_TARGET"],
    [get("/_pinyon/v1/services/honest.example"), "PINYON_PATH"],
    [get("/_pinyon/v1/services/_matrix._tcp.localhost"), "PINYON_PATH"],
    [get("/_pinyon/v1/services/_ldap._tcp.honest.example"), "PINYON_PATH"],
    [{ ...get("/_pinyon/v1/services/_matrix._tcp.honest.example"), ":method": "POST" }, "PINYON_PATH"],
  ];
  for (const [head, code] of heads) {
    t.equal((await askRaw(server.node, exit, head)).code, code, JSON.stringify(head));
  }
  await mustServe(t, scene);
});

const get = (path: string) => ({ ":method": "GET", ":authority": "exit", ":path": path });

t.test("one key uses no more of an exit than its quota, and another is served meanwhile", async (t) => {
  const timers = new VirtualTimers();
  const quota = { streams: 3, connectsPerMinute: 60, bytesPerDay: 20_000 };
  const allow = new Set<string>();
  const scene = await place(t, { quota, allow }, timers);
  const { network, internet, exit, server } = scene;
  const { exitErrors } = exit.federation.stats;
  const greedy = network.join();
  allow.add(hex(greedy)).add(hex(server.node));
  internet.host("raw.example", "8.0.0.2");
  await internet.tcpServer("8.0.0.2", 443, (socket) => socket.resume());
  const open = () => askRaw(greedy, exit, { ":authority": "raw.example:443" });
  const streams = [await open(), await open(), await open()];
  const refused = await open();
  t.same([refused.status, refused.code, exitErrors.PINYON_EXIT_QUOTA], [502, "PINYON_EXIT_QUOTA", 1], "streams");
  await mustServe(t, scene);
  const hello = await clientHello({ servername: "raw.example" });
  const { stream } = streams[0]!;
  const cut = closeOf(stream);
  stream.write(hello);
  for (let i = 0; i < 3; i++) stream.write(Buffer.alloc(10_000));
  await cut;
  t.equal(exitErrors.PINYON_EXIT_QUOTA, 2, "bytes of a day, in a stream that is open");
  for (const each of streams) each.stream.destroy();
  await until("they are over", () => exit.used.filter(({ key }) => key === hex(greedy)).length === 3);
  t.equal((await open()).code, "PINYON_EXIT_QUOTA", "and in a new one");
  await mustServe(t, scene);
  const busy = network.join();
  allow.add(hex(busy));
  const name = get("/_pinyon/v1/services/_matrix._tcp.none.example");
  for (let i = 0; i < quota.connectsPerMinute; i++) t.equal((await askRaw(busy, exit, name)).status, 200);
  t.equal((await askRaw(busy, exit, name)).code, "PINYON_EXIT_QUOTA", "connections and questions of a minute");
  timers.advance(1_000);
  t.equal((await askRaw(busy, exit, name)).status, 200, "one more after a second");
  t.equal((await askRaw(busy, exit, name)).code, "PINYON_EXIT_QUOTA");
  await mustServe(t, scene);
});

t.test(
  "exits stand in for each other while a connection is made, and never for one that a request was sent on",
  async (t) => {
    const scene = await place(t);
    const { network, authority, internet, exit } = scene;
    const allow = new Set<string>();
    const authorities = [authority.certificatePem];
    const rules = { allow, deny: [], quota: QUOTA };
    const second = await startServer(t, network, { machine: internet, authorities, exit: rules });
    const closed = await startServer(t, network, { machine: internet, authorities });
    const gone = network.join();
    gone.isOnline = false;
    const exits = [gone, closed.node, second.node, exit.node].map(({ key }) => key);
    const server = await startServer(t, network, { machine: NO_INTERNET, authorities, classic: { exits } });
    allow.add(hex(server.node));
    internet.host("a.example", "8.0.0.2");
    let isHeld = false;
    const reached = await internet.server("8.0.0.2", 8448, { dns: ["a.example"] }, (_request, response) => {
      if (!isHeld) response.end("{}");
    });
    t.equal((await ask(server, "a.example:8448", { path: PROFILE })).status, 200);
    const { stats } = server.federation;
    t.equal(stats.exitFailures, 2, "one is gone, one is none");
    t.equal((await ask(server, "a.example:8448", { path: PROFILE })).status, 200);
    t.equal(stats.exitFailures, 2, "they are not asked again at once");
    isHeld = true;
    const held = ask(server, "a.example:8448", { method: "PUT", path: "/_matrix/federation/v1/send/1", body: {} });
    await until("the request is there", () => reached.length === 3);
    second.node.leave();
    t.equal((await held).status, 502);
    t.equal(reached.length, 3, "it came once");
    isHeld = false;
    const last = await ask(server, "a.example:8448", { path: PROFILE });
    t.equal(codeOf(last), "PINYON_EXIT_FORBIDDEN", "the only exit that is left does not name it");
  },
);

t.test("an exit that falls silent is given up for another, with what waits on it", async (t) => {
  const timers = new VirtualTimers();
  const { network, authority, internet } = await place(t, {}, timers);
  const allow = new Set<string>();
  const authorities = [authority.certificatePem];
  const rules = { allow, deny: [], quota: QUOTA };
  const first = await startServer(t, network, { machine: internet, authorities, exit: rules, timers });
  const second = await startServer(t, network, { machine: internet, authorities, exit: rules, timers });
  const exits = [first, second].map(({ node }) => node.key);
  const server = await startServer(t, network, { machine: NO_INTERNET, authorities, timers, classic: { exits } });
  allow.add(hex(server.node));
  internet.host("a.example", "8.0.0.2");
  let isHeld = true;
  const reached = await internet.server("8.0.0.2", 8448, { dns: ["a.example"] }, (_request, response) => {
    if (!isHeld) response.end("{}");
  });
  const held = ask(server, "a.example:8448", { method: "PUT", path: "/_matrix/federation/v1/send/1", body: {} });
  await until("the request is there", () => reached.length === 1);
  timers.advance(EXIT_WATCH_MS);
  const silentMs = timers.nowMs();
  first.node.silenceMs = () => timers.nowMs() - silentMs;
  timers.advance(EXIT_SILENCE_MS - EXIT_WATCH_MS);
  t.equal(server.federation.stats.exitFailures, 0, "it may be back in some seconds");
  timers.advance(EXIT_WATCH_MS);
  t.equal(codeOf(await held), "PINYON_HOMESERVER_ANSWER");
  t.equal(server.federation.stats.exitFailures, 1);
  isHeld = false;
  t.equal((await ask(server, "a.example:8448", { path: PROFILE })).status, 200);
  t.ok(second.federation.stats.exitRequests > 0, "the other one has it");
});

t.test("while exits are used the others are asked how they are, and an idle node asks nobody", async (t) => {
  const timers = new VirtualTimers();
  const scene = await place(t, {}, timers);
  const { network, authority, internet, exit } = scene;
  const authorities = [authority.certificatePem];
  const allow = new Set<string>();
  const rules = { allow, deny: [], quota: QUOTA };
  const second = await startServer(t, network, { timers, machine: internet, authorities, exit: rules });
  const exits = [second, exit].map(({ node }) => node.key);
  const server = await startServer(t, network, { timers, machine: NO_INTERNET, authorities, classic: { exits } });
  allow.add(hex(server.node));
  exit.federation.setExitRules({ ...rules, allow: new Set([hex(server.node), hex(scene.server.node)]) });
  const { stats } = server.federation;
  const askNone = async () => codeOf(await ask(server, `${unique()}.example:8448`, { path: PROFILE }));
  t.equal(await askNone(), "PINYON_CLASSIC_LOOKUP", "what an exit says of a destination is its answer");
  t.equal(stats.exitFailures, 0);
  second.node.leave();
  timers.advance(EXIT_PROBE_MS);
  await until("both were asked", () => stats.exitProbes === 2 && stats.exitProbeFailures === 1);
  const { searches } = server.node;
  t.equal(await askNone(), "PINYON_CLASSIC_LOOKUP");
  t.same([stats.exitFailures, server.node.searches], [0, searches + 1], "one that is away costs no request its time");
  second.node.isOnline = true;
  timers.advance(EXIT_PROBE_MS);
  await until("it is asked again", () => second.federation.stats.exitAnswers === 1);
  await until("it was heard", () => network.open.size === 0);
  const asked = second.federation.stats.exitRequests;
  t.equal(await askNone(), "PINYON_CLASSIC_LOOKUP");
  t.equal(second.federation.stats.exitRequests, asked + 1, "it is the first again");
  allow.clear();
  timers.advance(EXIT_PROBE_MS);
  await until("one that lets it out no more is last", () => stats.exitProbeFailures === 2);
  await mustServe(t, scene);
  for (let rounds = 0; rounds < 2 * (EXIT_PROBED_FOR_MS / EXIT_PROBE_MS); rounds++) {
    timers.advance(EXIT_PROBE_MS);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await until("they have answered", () => network.open.size === 0);
  }
  const { exitProbes } = stats;
  timers.advance(EXIT_PROBED_FOR_MS);
  t.equal(stats.exitProbes, exitProbes, "nobody is asked by an idle node");
});

/** Resolves when the stream is closed, however it ends. */
function closeOf(stream: ClientHttp2Stream): Promise<unknown> {
  return new Promise((resolve) => stream.resume().once("close", resolve));
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}
