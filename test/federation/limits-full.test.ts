import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t, { type Test } from "tap";
import { IDLE_TIMEOUT_MS, INBOUND_REQUESTS_MAX, OUTBOUND_REQUESTS_MAX } from "../../src/federation/config.js";
import { Homeserver } from "../../src/federation/homeserver.js";
import { tempFolder } from "../daemon/temp-folder.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { headOf, PROFILE, SEND } from "./attacking.js";
import { TestNetwork } from "./network.js";
import { VERSION } from "./raw-node.js";
import { addressOf, ask, codeOf, giveJson, headersOf, repeat, startServer, type TestServer } from "./server.js";
import { mustSettle } from "./settling.js";

const PATH = "/_matrix/federation/v1/query/profile";
/** Requests of one node under way at once: HTTP/2 holds further ones back. */
const OF_ONE_NODE = 100;

t.test("nodes that take all the room they can are told so, and others are served meanwhile", async (t) => {
  const network = new TestNetwork();
  const timers = new VirtualTimers();
  const b = await startServer(t, network, { timers, answers: { [PATH]: () => {} } });
  const { stats } = b.federation;
  const hostile: TestServer[] = [];
  while (hostile.length * OF_ONE_NODE <= INBOUND_REQUESTS_MAX) hostile.push(await startServer(t, network, { timers }));
  const honest = await startServer(t, network, { timers });
  const held = (await Promise.all(hostile.map((each) => hold(each, b)))).flat();
  const told: unknown[] = [];
  for (const request of held) {
    request.once("response", (headers) => told.push(headers[":status"], headers["pinyon-code"]));
  }
  await until("all came", () => stats.inboundRequests === held.length);
  const refused = stats.inboundErrors.PINYON_BUSY;
  const taken = held.length - refused;
  t.ok(taken > 0.5 * INBOUND_REQUESTS_MAX && taken < 0.8 * INBOUND_REQUESTS_MAX, `${taken} were taken`);
  await until("those that are refused are told", () => told.length === 2 * refused);
  t.same(new Set(told), new Set([503, "PINYON_BUSY"]));
  t.equal((await ask(honest, b.name, { path: VERSION })).status, 200);
  for (const request of held) request.destroy();
  await mustSettle(network, [b, honest]);
});

t.test("a few nodes whose requests never end do not take every connection to the homeserver", async (t) => {
  const network = new TestNetwork();
  const b = await startServer(t, network);
  const hostile = [await startServer(t, network), await startServer(t, network), await startServer(t, network)];
  const held = await Promise.all(hostile.map((each) => hold(each, b, "{")));
  await until("all are taken", () => b.federation.stats.inboundRequests === hostile.length * OF_ONE_NODE);
  const honest = await startServer(t, network);
  t.equal((await ask(honest, b.name, { path: VERSION })).status, 200);
  for (const request of held.flat()) request.destroy();
  await mustSettle(network, [b, honest]);
});

/** As many requests of one node as may be, with the beginning of a body or none. */
async function hold(from: TestServer, to: TestServer, body?: string) {
  const head = headOf(from, to, body === undefined ? {} : { ":method": "PUT", ":path": `${SEND}1` });
  const remote = await from.node.connect(to.node.key);
  return Array.from({ length: OF_ONE_NODE }, () => {
    const request = remote.request(head, { endStream: body === undefined });
    if (body !== undefined) request.write(body);
    return request;
  });
}

t.test("requests that wait for a node to be found are bounded, also where their askers are gone", async (t) => {
  const network = new TestNetwork();
  const [a, b, away] = [await startServer(t, network), await startServer(t, network), await startServer(t, network)];
  const found: (() => void)[] = [];
  const { connect: search } = a.node;
  a.node.connect = async (key) => {
    if (Buffer.compare(key, away.node.key) === 0) await new Promise<void>((resolve) => found.push(resolve));
    return search.call(a.node, key);
  };
  const text = Object.entries(headersOf(a, away.name, "GET", PROFILE)).map((field) => `${field.join(": ")}\r\n`);
  while (found.length < OUTBOUND_REQUESTS_MAX) {
    const before = found.length;
    const sockets = Array.from({ length: 100 }, () => connect(addressOf(a)).on("error", () => {}));
    for (const socket of sockets) socket.write(`GET https://${away.name}${PROFILE} HTTP/1.1\r\n${text.join("")}\r\n`);
    await until("all are looked for", () => found.length === before + 100);
    for (const socket of sockets) socket.resetAndDestroy();
    await Promise.all(sockets.map((socket) => once(socket, "close")));
  }
  const { outboundErrors } = a.federation.stats;
  let told = await ask(a, b.name, { path: VERSION });
  t.same([told.status, codeOf(told)], [503, "PINYON_BUSY"]);
  t.equal(outboundErrors.PINYON_BUSY, 1);
  for (const resolve of found) resolve();
  await until("all are over", () => outboundErrors.PINYON_BODY_BROKEN === OUTBOUND_REQUESTS_MAX);
  told = await ask(a, b.name, { path: VERSION });
  t.equal(told.status, 200);
  await mustSettle(network, [a, b]);
});

t.test(
  "what is read ahead for who does not read is bounded, each way, and it is given up after its time",
  async (t) => {
    const CHUNK = Buffer.alloc(100_000);
    const COUNT = 2_000;
    /** What the system holds of four connections, and the bridge of one exchange. */
    const AHEAD_BYTES_MAX = 40_000_000;
    const HELD_BYTES_MAX = 16_000_000;
    const network = new TestNetwork();
    const timers = new VirtualTimers();
    let sent: Socket | undefined;
    const a = await startServer(t, network, { timers });
    const b = await startServer(t, network, {
      timers,
      answers: {
        [PATH]: ({ socket }, response) => {
          sent = socket;
          Readable.from(repeat(CHUNK, COUNT)).pipe(response);
        },
        [SEND]: (incoming) => void incoming.pause(),
      },
    });
    const before = heldBytes();
    const answered = request({
      ...addressOf(a),
      path: `https://${b.name}${PROFILE}`,
      headers: headersOf(a, b.name, "GET", PROFILE),
    }).end();
    const [answer] = (await once(answered, "response")) as [IncomingMessage];
    await mustStop(t, () => sent!.bytesWritten, AHEAD_BYTES_MAX);
    const path = `${SEND}1`;
    const asking = request({
      ...addressOf(a),
      method: "PUT",
      path: `https://${b.name}${path}`,
      headers: headersOf(a, b.name, "PUT", path),
    });
    Readable.from(repeat(CHUNK, COUNT)).pipe(asking);
    const told = once(asking, "response") as Promise<[IncomingMessage]>;
    await once(asking, "socket");
    await mustStop(t, () => asking.socket!.bytesWritten, AHEAD_BYTES_MAX);
    // What was let go is given back a little later.
    await until("little of it is held here", () => heldBytes() - before < HELD_BYTES_MAX);
    t.equal((await ask(a, b.name, { path: VERSION })).status, 200, "others are served meanwhile");
    timers.advance(IDLE_TIMEOUT_MS);
    t.equal((await told)[0].statusCode, 504);
    asking.destroy();
    await t.rejects(answer.resume().toArray(), "the answer is broken off");
    await mustSettle(network, [a, b], timers);
  },
);

/** Bytes of buffers that are not garbage. */
function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().arrayBuffers;
}

/** Waits until no more is taken; it must be under the bound. */
async function mustStop(t: Test, takenBytes: () => number, bytesMax: number): Promise<void> {
  let last = -1;
  while (takenBytes() !== last) {
    last = takenBytes();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  t.ok(last > 0 && last < bytesMax, `${last} bytes were taken`);
}

t.test("a homeserver is asked on a Unix socket, and looked for there", async (t) => {
  const path = join(tempFolder(t), "homeserver.sock");
  const timers = new VirtualTimers();
  const homeserver = new Homeserver({ path }, timers);
  let returns = 0;
  homeserver.onBack = () => returns++;
  const head = { method: "GET", path: VERSION, headers: {}, hasBody: false };
  await t.rejects(homeserver.ask(head), { code: "PINYON_HOMESERVER" });
  t.ok(homeserver.isDown);
  timers.advance(1_000);
  await until("it was looked for again", () => timers.pendingCount === 1);
  const server = createServer((_request, response) => giveJson(response, {})).listen(path);
  await once(server, "listening");
  t.teardown(() => server.close().closeAllConnections());
  await until("it is back", () => {
    timers.advance(1_000);
    return returns === 1;
  });
  t.notOk(homeserver.isDown);
  t.equal((await homeserver.ask(head)).status, 200);
  homeserver.stop();
  t.equal(timers.pendingCount, 0);
});

t.test("a homeserver is not looked for any more after a stop, also one in the middle of that", async (t) => {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const timers = new VirtualTimers();
  const homeserver = new Homeserver({ host: "127.0.0.1", port }, timers);
  const head = { method: "GET", path: VERSION, headers: {}, hasBody: false };
  server.close().closeAllConnections();
  await t.rejects(homeserver.ask(head), { code: "PINYON_HOMESERVER" });
  const again = createServer(() => {}).listen(port, "127.0.0.1");
  await once(again, "listening");
  t.teardown(() => again.close().closeAllConnections());
  const asked = once(again, "request");
  timers.advance(1_000);
  await asked;
  homeserver.stop();
  await until("nothing waits", () => timers.pendingCount === 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(timers.pendingCount, 0);
});

t.test("a federation that stops breaks off what is under way, and leaves nothing", async (t) => {
  const network = new TestNetwork();
  const timers = new VirtualTimers();
  const answers = { [PATH]: () => {} };
  const [a, b] = [
    await startServer(t, network, { timers, answers }),
    await startServer(t, network, { timers, answers }),
  ];
  const telling = [ask(a, b.name, { path: PROFILE }), ask(b, a.name, { path: PROFILE })].map((each) =>
    each.catch(() => undefined),
  );
  await until("both are under way", () => a.asked.length === 1 && b.asked.length === 1);
  await a.federation.stop();
  const told = await Promise.all(telling);
  t.equal(told[0], undefined);
  t.same([told[1]?.status, codeOf(told[1]!)], [502, "PINYON_HOMESERVER_ANSWER"]);
  await b.federation.stop();
  await until("no stream is open", () => network.open.size === 0);
  timers.advance(60_000);
  t.equal(timers.pendingCount, 0);
});
