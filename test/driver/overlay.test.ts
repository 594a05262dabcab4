import { once } from "node:events";
import t from "tap";
import { STALL_MS } from "../../src/driver/config.js";
import type { LinkEnd } from "../../src/driver/overlay.js";
import type { Link } from "../../src/link/link.js";
import { memoryPair } from "../../src/link/memory.js";
import { SessionCode } from "../../src/session/codes.js";
import { CLOSE_TEXT, CloseCode } from "../../src/wire/codes.js";
import { Kind } from "../../src/wire/kinds.js";
import { linkByMemory, linkByWebSocket, NODE_DEFAULTS, openSession, TestNode, until, untilReachable } from "./mesh.js";
import { stall } from "./stall.js";

/** The key of a node that is not there. */
const STRANGER = new Uint8Array(32).fill(9);

t.test("nodes in a line ping, trace and look each other up", async (t) => {
  const [a, relay, b] = [new TestNode(t), new TestNode(t), new TestNode(t)];
  linkByMemory(a, relay);
  linkByMemory(relay, b);
  await untilReachable(a, b);
  const ping = await a.overlay.ping(b.key);
  t.match(ping, { ok: true, hops: 2 });
  const trace = await a.overlay.trace(b.key);
  t.strictSame(
    trace.hops.map((hop) => hop?.key),
    [relay.key, b.key],
  );
  const lookup = await b.overlay.lookup(a.key);
  t.equal(lookup.ok, true);
  t.equal(lookup.route.length, 2);
  t.equal(a.overlay.status().links.length, 1);
});

t.test("a session that two ask for at once is one session, and so is a second one asked for", async (t) => {
  const [a, b] = [new TestNode(t), new TestNode(t)];
  linkByMemory(a, b);
  await untilReachable(a, b);
  const [fromA, againA, fromB] = await Promise.all([
    a.overlay.connect(b.key),
    a.overlay.connect(b.key),
    b.overlay.connect(a.key),
  ]);
  t.equal(fromA, againA);
  t.not(fromA.initiator, fromB.initiator);
  t.equal(await a.overlay.connect(b.key), fromA);
  fromA.ask.end("hello");
  const [chunk] = (await once(fromB.answer, "data")) as [Buffer];
  t.equal(chunk.toString(), "hello");
  t.equal(a.sessions.length, 1);
  t.equal(b.sessions.length, 1);
});

t.test("a session that cannot be is refused with its reason", async (t) => {
  const sessions = { ...NODE_DEFAULTS.sessions, handshakeTimeoutMs: 300, handshakeRetryMs: 100 };
  const [a, b] = [new TestNode(t, {}, { sessions }), new TestNode(t)];
  await t.rejects(a.overlay.connect(a.key), { code: "PINYON_SELF" });
  const [, far] = linkByMemory(a, b);
  await untilReachable(a, b);
  const [ping] = await Promise.all([
    b.overlay.ping(STRANGER),
    t.rejects(b.overlay.connect(STRANGER), { code: "PINYON_UNREACHABLE" }),
  ]);
  t.match(ping, { ok: false, reason: /no way/ });
  far.pause();
  await t.rejects(a.overlay.connect(b.key), { code: "PINYON_HANDSHAKE_TIMEOUT" });
  far.resume();
  t.ok(await a.overlay.connect(b.key), "and opened once the other answers");
});

t.test("a link that is refused is told with its reason on both sides", async (t) => {
  const ends: [who: string, isUp: boolean, end: LinkEnd][] = [];
  const note = (who: string) => (_link: unknown, key: Uint8Array | undefined, end: LinkEnd) =>
    void ends.push([who, key !== undefined, end]);
  const [a, b] = [new TestNode(t, { onLinkDown: note("a") }), new TestNode(t, { onLinkDown: note("b") })];
  const [near, far] = memoryPair();
  a.overlay.attach(near, { keys: [STRANGER] });
  b.overlay.attach(far);
  await until(() => ends.length === 2);
  const code = CloseCode.KEY_MISMATCH;
  const end = { code, reason: CLOSE_TEXT[code] };
  t.strictSame(ends, [
    ["a", false, end],
    ["b", false, end],
  ]);
});

t.test("links come up and go down once each, with the reason of whoever closed", async (t) => {
  const events: string[] = [];
  const [a, b] = ["a", "b"].map(
    (who) =>
      new TestNode(t, {
        onLinkUp: () => events.push(`${who} up`),
        onLinkDown: (_link, _key, { code, reason }) => events.push(`${who} down ${code} ${reason}`),
      }),
  );
  linkByMemory(a!, b!);
  await until(() => events.length === 2);
  await a!.overlay.stop();
  await until(() => events.length === 4);
  const down = `down ${CloseCode.SHUTDOWN} ${CLOSE_TEXT[CloseCode.SHUTDOWN]}`;
  t.strictSame(events.sort(), ["a up", `a ${down}`, "b up", `b ${down}`].sort());
});

t.test("stopping ends sessions on both sides, and everything that waits", async (t) => {
  const [a, b] = [new TestNode(t), new TestNode(t)];
  linkByMemory(a, b);
  await untilReachable(a, b);
  const [asked, answered] = await openSession(t, a, b);
  const unanswered: Promise<unknown>[] = [a.overlay.ping(STRANGER), a.overlay.connect(STRANGER)];
  const refused = Promise.all(unanswered.map((promise) => t.rejects(promise, { code: "PINYON_STOPPED" })));
  await a.overlay.stop();
  await refused;
  t.equal((await asked.closed).code, SessionCode.SHUTDOWN);
  t.equal((await answered.closed).code, SessionCode.SHUTDOWN);
  await t.rejects(a.overlay.ping(b.key), { code: "PINYON_STOPPED" });
  await t.rejects(a.overlay.connect(b.key), { code: "PINYON_STOPPED" });

  const [near, far] = memoryPair();
  const told = new Promise((resolve) => {
    far.onClose = resolve;
  });
  far.onMessage = () => {};
  a.overlay.attach(near);
  t.equal(await told, CloseCode.SHUTDOWN, "a link that comes too late is closed");
});

t.test("what is to be kept on disk is told", async (t) => {
  const epochs: number[] = [];
  const a = new TestNode(t, { onPersist: (epoch) => epochs.push(epoch) });
  linkByMemory(a, new TestNode(t));
  await until(() => epochs.length > 0);
  t.ok(epochs[0]! > Date.now());
});

t.test("a stall of the process kills no link", async (t) => {
  const downs: LinkEnd[] = [];
  const onLinkDown = (_link: unknown, _key: unknown, end: LinkEnd) => void downs.push(end);
  const keepAlive = {
    ...NODE_DEFAULTS.keepAlive,
    usedMs: 400,
    idleMs: 400,
    parentExtraMs: 0,
    deadMs: 300,
    answerMs: 300,
  };
  const [a, b] = [new TestNode(t, { onLinkDown }, { keepAlive }), new TestNode(t)];
  let stalls = 0;
  // The process stops when a ping has left: when it goes on, both the ping's deadline and the ping lie there.
  const stallAtPing = (link: Link): Link => {
    const { send } = link;
    link.send = (message) => {
      if (message[1] === Kind.PING && stalls++ === 0) process.nextTick(() => stall(STALL_MS + keepAlive.deadMs + 100));
      return send.call(link, message);
    };
    return link;
  };
  await linkByWebSocket(t, a, b, stallAtPing);
  await until(() => stalls >= 2);
  t.strictSame(downs, []);
  t.equal((await a.overlay.ping(b.key)).ok, true);
});
