import { createHash } from "node:crypto";
import { once } from "node:events";
import { type ClientHttp2Stream, constants, type ServerHttp2Stream } from "node:http2";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import t, { type Test } from "tap";
import { BODY_AHEAD_BYTES, HEADER_BYTES_MAX, REQUESTS_MAX, REQUESTS_OPEN_MAX } from "../../src/driver/config.js";
import { HttpPeer, PeerCode } from "../../src/driver/http-peer.js";
import type { RequestHandler } from "../../src/driver/http2.js";
import { encodeNameRecord } from "../../src/driver/name-record.js";
import { systemRandom } from "../../src/driver/random.js";
import type { Timers } from "../../src/link/link.js";
import type { MemoryLink } from "../../src/link/memory.js";
import type { NodeConfig } from "../../src/node/config.js";
import { SessionCode } from "../../src/session/codes.js";
import { keyToName } from "../../src/wire/name.js";
import {
  clock,
  linkByMemory,
  linkByWebSocket,
  NODE_DEFAULTS,
  openSession,
  TestNode,
  until,
  untilReachable,
  untilSteady,
} from "./mesh.js";

const BODY_BYTES = 20_000_000;

type Answer = (request: ServerHttp2Stream, rawHeaders: readonly string[]) => unknown;

const ANSWERS: Readonly<Record<string, Answer>> = {
  "/small": (request) => request.end("small"),
  "/echo": (request) => request.pipe(request),
  "/headers": (request, rawHeaders) => request.end(JSON.stringify(rawHeaders)),
  "/half": (request) => request.write("half"),
  "/abort": (request) => request.write("half", () => request.destroy()),
  "/endless": (request) => pipeline(Readable.from(zeros(), { objectMode: false }), request).catch(() => {}),
};

const serve: RequestHandler = (request, headers, rawHeaders) => {
  const answer = ANSWERS[headers[":path"]!];
  request.respond({ ":status": answer === undefined ? 404 : 200 });
  if (answer === undefined) request.end();
  else answer(request, rawHeaders);
};

function* zeros(): Generator<Uint8Array> {
  for (;;) yield new Uint8Array(16_384);
}

interface Line {
  readonly a: TestNode;
  readonly relay: TestNode;
  readonly b: TestNode;
  /** The ends between relay and b, where they are in memory. */
  readonly links: readonly MemoryLink[];
}

/** A – relay – B. */
async function line(t: Test, by: "memory" | "websocket" = "memory", config: Partial<NodeConfig> = {}): Promise<Line> {
  const [a, relay, b] = [new TestNode(t, {}, config), new TestNode(t, {}, config), new TestNode(t, {}, config)];
  let links: readonly MemoryLink[] = [];
  if (by === "memory") {
    linkByMemory(a, relay);
    links = linkByMemory(relay, b);
  } else {
    await Promise.all([linkByWebSocket(t, a, relay), linkByWebSocket(t, relay, b)]);
  }
  await untilReachable(a, b);
  return { a, relay, b, links };
}

/** One line for all tests that leave it as it was: a session of their own each, closed at their end. */
const shared = line(t);

/** Two HTTP peers of each other. */
async function peers(
  t: Test,
  { a, b }: Pick<Line, "a" | "b">,
  handler = serve,
  timers: Timers = clock,
): Promise<[HttpPeer, HttpPeer]> {
  const [asked, answered] = await openSession(t, a, b);
  const [pa, pb] = [a, b].map(({ name }) => ({ name, handler, timers }));
  return [new HttpPeer(asked, pa!), new HttpPeer(answered, pb!)];
}

/** The body of an answer, and whether it was whole. */
async function bodyOf(answer: ClientHttp2Stream): Promise<{ text: string; isWhole: boolean }> {
  let text = "";
  let isWhole = false;
  answer.setEncoding("latin1");
  answer.on("data", (chunk: string) => (text += chunk));
  answer.on("end", () => (isWhole = true));
  await new Promise((resolve) => answer.once("close", resolve));
  return { text, isWhole };
}

async function get(peer: HttpPeer, path: string): Promise<string> {
  return (await bodyOf(peer.request({ ":path": path }, { endStream: true }))).text;
}

/** Sends a random body to /echo; gives the hash of what was sent and of what came back. */
async function echo(peer: HttpPeer, sizeBytes: number): Promise<[sent: string, received: string]> {
  const [sent, received] = [createHash("sha256"), createHash("sha256")];
  const answer = peer.request({ ":method": "POST", ":path": "/echo" });
  function* body() {
    for (let left = sizeBytes; left > 0; left -= 50_000) {
      const chunk = systemRandom(Math.min(left, 50_000));
      sent.update(chunk);
      yield chunk;
    }
  }
  answer.on("data", (chunk: Uint8Array) => received.update(chunk));
  await Promise.all([pipeline(Readable.from(body(), { objectMode: false }), answer as Writable), once(answer, "end")]);
  return [sent.digest("hex"), received.digest("hex")];
}

for (const by of ["memory", "websocket"] as const) {
  t.test(`20 MB go through a relay and back, both ways at once, by ${by}`, async (t) => {
    const [pa, pb] = await peers(t, await line(t, by));
    for (const [sent, received] of await Promise.all([echo(pa, BODY_BYTES), echo(pb, BODY_BYTES)])) {
      t.equal(received, sent);
    }
  });
}

t.test("requests reach a node before it was heard of, and each learns the other's name", async (t) => {
  const nodes = await shared;
  const [pa, pb] = await peers(t, nodes);
  t.equal(await get(pa, "/small"), "small");
  t.equal(await get(pb, "/small"), "small");
  t.equal(await pa.remoteName, nodes.b.name);
  t.equal(await pb.remoteName, nodes.a.name);
});

t.test("a body that nobody reads is taken up to its bound, and stops no other request", async (t) => {
  const [pa, pb] = await peers(t, await shared);
  const stalled = pb.request({ ":path": "/endless" }, { endStream: true });
  await once(stalled, "response");
  const sending = pa.request({ ":method": "POST", ":path": "/half" });
  let takenBytes = 0;
  const source = Readable.from(zeros(), { objectMode: false });
  source.on("data", (chunk: Uint8Array) => (takenBytes += chunk.length));
  pipeline(source, sending as Writable).catch(() => {});
  await untilSteady(() => takenBytes);
  t.ok(takenBytes >= BODY_AHEAD_BYTES, `${takenBytes} bytes were taken`);
  t.ok(takenBytes <= BODY_AHEAD_BYTES + 256 * 1024, `no more than ${takenBytes} bytes were taken`);
  t.equal(await get(pa, "/small"), "small");
  t.equal(await get(pb, "/small"), "small");
  const [sent, received] = await echo(pb, 3 * BODY_AHEAD_BYTES);
  t.equal(received, sent);
});

t.test("a small request passes a large body", async (t) => {
  const [pa] = await peers(t, await shared);
  let passed = 0;
  const large = echo(pa, BODY_BYTES).then(() => passed);
  while ((await get(pa, "/small")) === "small" && passed < 20) passed++;
  t.equal(passed, 20);
  t.equal(await large, 20, "all of them before the body was there");
});

t.test("the answer may begin before the request ends, and go on after", async (t) => {
  const [pa] = await peers(t, await shared);
  const answer = pa.request({ ":method": "POST", ":path": "/echo" });
  const body = bodyOf(answer);
  await once(answer, "response");
  answer.write("first ");
  await once(answer, "data");
  answer.end("second");
  t.strictSame(await body, { text: "first second", isWhole: true });
});

t.test("a request given up in mid-body is told as such, and others go on", async (t) => {
  const asked: ServerHttp2Stream[] = [];
  const [pa] = await peers(t, await shared, (request, headers, rawHeaders) => {
    if (headers[":path"] === "/upload") asked.push(request);
    else serve(request, headers, rawHeaders);
  });
  const upload = pa.request({ ":method": "POST", ":path": "/upload" });
  upload.write("half a question");
  await until(() => asked.length > 0);
  const request = asked[0]!.resume();
  upload.destroy();
  await new Promise((resolve) => request.once("close", resolve));
  t.equal(request.aborted, true);
  t.equal(request.readableEnded, false, "half a body does not pass for a whole one");
  t.equal(await get(pa, "/small"), "small");
});

t.test("an answer given up in mid-body does not end, and others go on", async (t) => {
  const [pa] = await peers(t, await shared);
  const answer = pa.request({ ":path": "/abort" }, { endStream: true });
  t.strictSame(await bodyOf(answer), { text: "half", isWhole: false });
  t.equal(answer.rstCode, constants.NGHTTP2_INTERNAL_ERROR);
  t.equal(await get(pa, "/small"), "small");
});

t.test("an answer that comes before its request is whole", async (t) => {
  const [pa] = await peers(t, await shared, (request) => {
    request.resume();
    request.end("small");
  });
  const answer = pa.request({ ":method": "POST", ":path": "/" });
  const body = bodyOf(answer);
  await once(answer, "end");
  answer.end(new Uint8Array(3 * BODY_AHEAD_BYTES));
  t.strictSame(await body, { text: "small", isWhole: true });
});

t.test("when the other node vanishes while nothing is sent, open answers break off", async (t) => {
  const sessions = { ...NODE_DEFAULTS.sessions, deadAfterMs: 500 };
  const nodes = await line(t, "memory", { sessions });
  const fast: Timers = { nowMs: () => clock.nowMs(), after: (delayMs, done) => clock.after(delayMs / 100, done) };
  const [pa] = await peers(t, nodes, serve, fast);
  const answer = pa.request({ ":path": "/half" }, { endStream: true });
  const body = bodyOf(answer);
  await new Promise((resolve) => answer.once("data", resolve));
  for (const link of nodes.links) link.pause();
  t.strictSame(await body, { text: "half", isWhole: false });
  t.equal((await nodes.a.sessions.at(-1)!.closed).code, SessionCode.TIMEOUT);
});

t.test("when the session ends open answers break off and no request can be made", async (t) => {
  const nodes = await shared;
  const [pa] = await peers(t, nodes);
  const answer = pa.request({ ":path": "/half" }, { endStream: true });
  const body = bodyOf(answer);
  await new Promise((resolve) => answer.once("data", resolve));
  nodes.b.sessions.at(-1)!.close(0, "enough");
  t.strictSame(await body, { text: "half", isWhole: false });
  t.strictSame(await nodes.a.sessions.at(-1)!.closed, { code: 0, reason: "enough" });
  t.throws(() => pa.request({ ":path": "/small" }), { code: "PINYON_SESSION_ENDED" });
  const [again] = await peers(t, nodes);
  t.equal(await get(again, "/small"), "small", "another session serves");
});

t.test("when one end of HTTP/2 ends so does the session", async (t) => {
  const nodes = await shared;
  const [pa] = await peers(t, nodes);
  await pa.remoteName;
  nodes.a.sessions.at(-1)!.ask.destroy();
  t.equal((await nodes.b.sessions.at(-1)!.closed).code, PeerCode.HTTP_ENDED);
  t.equal((await nodes.a.sessions.at(-1)!.closed).code, PeerCode.HTTP_ENDED);
});

t.test("repeated header fields reach the handler as they came", async (t) => {
  const [pa] = await peers(t, await shared);
  const raw = JSON.parse(await get(pa, "/headers")) as string[];
  t.ok(raw.includes(":authority"));
  const answer = pa.request({ ":path": "/headers", cookie: ["a=1", "b=2"] }, { endStream: true });
  const fields = JSON.parse((await bodyOf(answer)).text) as string[];
  t.strictSame(
    fields.filter((_, i) => fields[i - 1] === "cookie"),
    ["a=1", "b=2"],
  );
});

t.test("a header beyond its bound costs its sender the request, nobody else's", async (t) => {
  const [pa] = await peers(t, await shared);
  await get(pa, "/small");
  const answer = pa.request({ ":path": "/small", "x-large": "x".repeat(HEADER_BYTES_MAX) }, { endStream: true });
  t.strictSame(await bodyOf(answer), { text: "", isWhole: false });
  t.equal(await get(pa, "/small"), "small");
});

t.test("requests beyond the bound wait for their turn, and beyond another are refused", async (t) => {
  let open = 0;
  let most = 0;
  const [pa] = await peers(t, await shared, (request) => {
    most = Math.max(most, ++open);
    request.respond({ ":status": 200 });
    setTimeout(() => request.end("small"), 10);
    request.once("close", () => open--);
  });
  const answers = Array.from({ length: REQUESTS_OPEN_MAX }, () => get(pa, "/small"));
  t.throws(() => pa.request({ ":path": "/small" }), { code: "PINYON_BUSY" });
  t.equal(pa.requestsRefused, 1);
  t.ok((await Promise.all(answers)).every((text) => text === "small"));
  t.equal(most, REQUESTS_MAX);
  t.equal(await get(pa, "/small"), "small");
});

t.test("many bodies go both ways at once, and none waits for ever", async (t) => {
  const [pa] = await peers(t, await shared);
  const echoes = Array.from({ length: 20 }, () => echo(pa, BODY_AHEAD_BYTES));
  t.ok((await Promise.all(echoes)).every(([sent, received]) => sent === received));
});

t.test(
  "a node that states no name, a wrong name or two names is refused; an honest one is served meanwhile",
  async (t) => {
    const nodes = await shared;
    const { a, b } = nodes;
    const own = encodeNameRecord(a.name);
    const gateway = encodeNameRecord(keyToName(a.key, "gw.example"));
    const [honest] = await peers(t, { a: nodes.relay, b });
    const liars: [title: string, ask: Uint8Array, answer: Uint8Array | undefined, reason: RegExp][] = [
      ["no record", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), undefined, /did not begin/],
      ["random bytes", systemRandom(300), undefined, /did not begin|another version/],
      ["another version", Uint8Array.of(0x92, 3), undefined, /its version is 3/],
      ["another node's name", encodeNameRecord(b.name), undefined, /not its own/],
      ["two names", own, gateway, /not its own/],
      ["its own and a classic name", own, encodeNameRecord("example.org"), /not its own/],
    ];
    for (const [title, ask, answer, reason] of liars) {
      const requests: unknown[] = [];
      const [liar, session] = await openSession(t, a, b);
      const peer = new HttpPeer(session, { name: b.name, handler: (request) => requests.push(request), timers: clock });
      liar.ask.write(ask);
      if (answer !== undefined) liar.answer.write(answer);
      const end = await liar.closed;
      t.equal(end.code, PeerCode.NAME_REFUSED, title);
      t.match(end.reason, reason, title);
      t.strictSame(requests, []);
      if (ask === own) t.match(await peer.remoteName, new RegExp(`^(?:${a.name.slice(0, 52)}|example)\\.`), title);
      else await t.rejects(peer.remoteName, { code: "PINYON_SESSION_ENDED" }, title);
      t.equal(await get(honest, "/small"), "small", title);
    }
  },
);

t.test("a record that comes byte by byte is a record", async (t) => {
  const { a, b } = await shared;
  const [slow, session] = await openSession(t, a, b);
  const peer = new HttpPeer(session, { name: b.name, handler: serve, timers: clock });
  for (const byte of encodeNameRecord(a.name)) {
    slow.answer.write(Uint8Array.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(await peer.remoteName, a.name);
});

t.test("a node that breaks HTTP/2 loses its session; an honest one is served meanwhile", async (t) => {
  const nodes = await shared;
  const { a, b } = nodes;
  const [honest] = await peers(t, { a: nodes.relay, b });
  const [liar, session] = await openSession(t, a, b);
  new HttpPeer(session, { name: b.name, handler: serve, timers: clock });
  for (const stream of [liar.ask, liar.answer]) stream.write(encodeNameRecord(a.name));
  liar.ask.write(systemRandom(300));
  t.equal((await liar.closed).code, PeerCode.HTTP_ENDED);
  t.equal(await get(honest, "/small"), "small");
});

t.test(
  "a node that floods pings and reads no answer is soon read no more; an honest one is served meanwhile",
  async (t) => {
    const nodes = await shared;
    const { a, b } = nodes;
    const [honest] = await peers(t, { a: nodes.relay, b });
    const [liar, session] = await openSession(t, a, b);
    new HttpPeer(session, { name: b.name, handler: serve, timers: clock });
    liar.ask.write(encodeNameRecord(a.name));
    liar.ask.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    liar.ask.write(Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0));
    const pings = Buffer.concat(Array(1_000).fill(Buffer.from("0000080600000000000000000000000000", "hex")));
    let takenBytes = 0;
    const flood = (): void => {
      takenBytes += pings.length;
      liar.ask.write(pings, (error) => error || flood());
    };
    flood();
    await untilSteady(() => takenBytes);
    // Its pings and their answers fill the windows of one stream, each way.
    const { receiveWindowBytes, sendAheadBytesMax } = NODE_DEFAULTS.sessions;
    t.ok(
      takenBytes < 2 * (receiveWindowBytes + sendAheadBytesMax) + 1_000_000,
      `no more than ${takenBytes} bytes were taken`,
    );
    t.equal(await get(honest, "/small"), "small");
  },
);
