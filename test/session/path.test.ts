/** A session and its way: rate, queue, marks, blackouts, other routes, silence. */
import t from "tap";
import { SessionCode, SessionState } from "../../src/session/codes.js";
import { Timer } from "../../src/session/timers.js";
import { Pair, type PairOptions } from "../pair.js";
import { pattern } from "./support.js";

/** Sends `sizeBytes` from a to b; gives how long it took. */
function transfer(pair: Pair, sizeBytes: number, limitMs = 600_000): number {
  const startMs = pair.nowMs;
  const goal = pair.b.receivedBytes[0]! + sizeBytes;
  pair.a.send(0, pattern(sizeBytes), startMs);
  pair.flush();
  pair.driveUntil(() => pair.b.receivedBytes[0]! >= goal, limitMs);
  return pair.nowMs - startMs;
}

function connected(knobs: object, options: PairOptions = {}): Pair {
  const pair = new Pair(options);
  for (const way of pair.ways) Object.assign(way, knobs);
  pair.connect();
  pair.driveUntil(() => pair.b.session !== undefined && pair.a.session !== undefined);
  return pair;
}

/** 10 Mbit/s, 50 ms there and back. */
const SLOW = { bytesPerMs: 1_250, latencyMs: 25 };

t.test("a 10 Mbit/s way is filled, with a queue that marks and with one that drops", async (t) => {
  const marking = connected({ ...SLOW, markAboveMs: 20 });
  const markedMs = transfer(marking, 10_000_000);
  t.ok(markedMs < 1.15 * 8_000, `8 s of bytes in ${markedMs} ms`);
  t.ok(marking.aToB.longestWaitMs < 100, `a queue of ${marking.aToB.longestWaitMs} ms`);
  t.equal(marking.a.session!.stats.packetsLost, 0);
  t.ok(marking.a.session!.stats.congestionEvents > 0);

  const dropping = connected({ ...SLOW, queueBytesMax: 62_500 });
  const droppedMs = transfer(dropping, 10_000_000);
  t.ok(droppedMs < 1.15 * 8_000, `8 s of bytes in ${droppedMs} ms`);
  t.ok(dropping.aToB.dropped < 100, `${dropping.aToB.dropped} of 8,500 packets dropped`);
});

t.test("slow start ends before a deep queue is full", async (t) => {
  const pair = connected({ ...SLOW, queueBytesMax: 1_000_000 });
  transfer(pair, 1_000_000);
  t.ok(pair.aToB.longestWaitMs < 250, `a queue of ${pair.aToB.longestWaitMs} ms, of 800 that fit`);
  t.equal(pair.aToB.dropped, 0);
});

t.test("packets are as large as the way is fast, and none occupies it for long", async (t) => {
  for (const [bytesPerMs, leastBytes, mostBytes] of [
    [125, 1_200, 1_250],
    [1_250, 2_000, 6_250],
    [125_000, 61_440, 61_440],
  ] as const) {
    const pair = connected({ bytesPerMs, latencyMs: 5, markAboveMs: 20 });
    transfer(pair, 1_000 * bytesPerMs);
    let largest = 0;
    let longest = 0;
    pair.onPacket = (from, packet) => {
      if (from === "a") largest = Math.max(largest, packet.length);
      longest = Math.max(longest, packet.length);
    };
    transfer(pair, 1_000 * bytesPerMs);
    t.ok(largest >= leastBytes && longest <= mostBytes, `${largest} bytes at ${bytesPerMs} bytes/ms`);
  }
});

t.test("little is taken ahead of a slow way, however large its window", async (t) => {
  const pair = connected({ ...SLOW, queueBytesMax: 1_000_000 });
  transfer(pair, 1_000_000);
  const { session } = pair.a;
  const taken = session!.write(0, new Uint8Array(1_000_000), pair.nowMs);
  t.ok(taken <= 25_000 && session!.windowBytes > 50_000, `${taken} bytes of a window of ${session!.windowBytes}`);
});

t.test("packets are spread over the round trip", async (t) => {
  const pair = connected({ latencyMs: 100 });
  transfer(pair, 2_000_000);
  const sentMs = new Map<number, number>();
  pair.onPacket = (from, packet) => {
    if (from === "a") sentMs.set(pair.nowMs, (sentMs.get(pair.nowMs) ?? 0) + packet.length);
  };
  const window = pair.a.session!.windowBytes;
  pair.a.send(0, pattern(1_500_000), pair.nowMs);
  pair.flush();
  pair.driveFor(100);
  const burst = Math.max(...sentMs.values());
  t.ok(burst <= Math.max(12_000, 0.07 * window), `${burst} bytes at once of a window of ${window}`);
  t.ok(sentMs.size > 20);
});

t.test("marks alone slow a sender down, without a loss", async (t) => {
  const clean = transfer(connected({ latencyMs: 20 }), 3_000_000);
  const marked = connected({ latencyMs: 20, markPerMille: 20 });
  const slowMs = transfer(marked, 3_000_000);
  t.ok(slowMs > 3 * clean, `${slowMs} ms against ${clean}`);
  t.equal(marked.a.session!.stats.packetsLost, 0);
  t.ok(marked.a.session!.stats.congestionEvents > 3);
  t.ok(marked.b.session!.stats.marksReceived > 10);
});

t.test("two senders over one way share it", async (t) => {
  const pair = connected({ ...SLOW, markAboveMs: 20 });
  pair.a.send(0, pattern(3_000_000), pair.nowMs);
  pair.a.send(1, pattern(3_000_000), pair.nowMs);
  pair.flush();
  pair.driveFor(2_000);
  const [one, two] = pair.b.receivedBytes;
  t.ok(one! > 0.4 * (one! + two!) && two! > 0.4 * (one! + two!), `${one} and ${two} bytes`);
});

t.test("a session survives a blackout of 20 s and is back at once", async (t) => {
  for (const direction of ["aToB", "bToA", "both"] as const) {
    const pair = connected({ ...SLOW, markAboveMs: 20 });
    const ways = direction === "both" ? pair.ways : [pair[direction]];
    pair.a.send(0, pattern(5_000_000), pair.nowMs);
    pair.flush();
    pair.driveFor(1_000);
    for (const way of ways) way.cut = true;
    pair.driveFor(20_000);
    for (const way of ways) way.cut = false;
    const endMs = pair.nowMs;
    const before = pair.b.receivedBytes[0]!;
    t.ok(pair.driveUntil(() => pair.b.receivedBytes[0]! > before + 10_000, 5_000));
    t.ok(pair.nowMs - endMs < 2_500, `bytes again after ${pair.nowMs - endMs} ms`);
    t.ok(pair.driveUntil(() => pair.b.receivedBytes[0] === 5_000_000, 20_000));
    t.ok(pair.b.bytesOf(0).equals(pattern(5_000_000)));
    const doubts = pair.a.eventsOf("path-doubt");
    t.ok(doubts.length >= 5, "the node is told at each probe timeout");
    t.strictSame(doubts[0]!.remoteKey, pair.b.publicKey);
    t.strictSame(
      doubts.slice(0, 3).map((event) => event.ptoCount),
      [1, 2, 3],
    );
  }
});

t.test("packets in a blackout are few", async (t) => {
  const pair = connected(SLOW);
  pair.a.send(0, pattern(5_000_000), pair.nowMs);
  pair.flush();
  pair.driveFor(1_000);
  pair.aToB.cut = true;
  pair.driveFor(1_000);
  const before = pair.aToB.packets;
  pair.driveFor(30_000);
  t.ok(pair.aToB.packets - before <= 60, `${pair.aToB.packets - before} packets in 30 s`);
});

t.test("told of another route, a session goes on there at once", async (t) => {
  const pair = connected({ latencyMs: 30 });
  pair.a.send(0, pattern(3_000_000), pair.nowMs);
  pair.flush();
  pair.driveFor(150);
  pair.aToB.cut = true;
  pair.driveFor(10_000);
  pair.aToB.cut = false;
  pair.aToB.latencyMs = pair.bToA.latencyMs = 10;
  const startMs = pair.nowMs;
  const before = pair.b.receivedBytes[0]!;
  pair.a.session!.handleRouteChanged(pair.nowMs);
  pair.flush();
  t.ok(pair.driveUntil(() => pair.b.receivedBytes[0]! > before, 1_000));
  t.ok(pair.nowMs - startMs < 50, `bytes again after ${pair.nowMs - startMs} ms`);
  pair.driveUntil(() => pair.b.receivedBytes[0] === 3_000_000, 5_000);
  t.ok(pair.b.bytesOf(0).equals(pattern(3_000_000)));
  t.ok(pair.a.session!.rttMs < 30, "the round trip is the new way's");
});

t.test("a change to a shorter way counts as no congestion", async (t) => {
  const pair = connected({ latencyMs: 80 });
  transfer(pair, 1_000_000);
  pair.a.send(0, pattern(2_000_000), pair.nowMs);
  pair.flush();
  pair.driveFor(50);
  for (const way of pair.ways) way.latencyMs = 5; // what is on the way is overtaken
  pair.a.session!.handleRouteChanged(pair.nowMs);
  pair.flush();
  pair.driveFor(30);
  const { stats } = pair.a.session!;
  t.ok(stats.packetsLost > 10);
  t.equal(stats.congestionEvents, 0);
  pair.driveUntil(() => pair.b.receivedBytes[0] === 3_000_000, 5_000);
  t.equal(pair.b.receivedBytes[0], 3_000_000);
});

t.test("told of a route while it connects, a session asks again at once", async (t) => {
  const pair = new Pair();
  pair.aToB.cut = true;
  const session = pair.connect();
  pair.driveFor(100);
  pair.aToB.cut = false;
  session.handleRouteChanged(pair.nowMs);
  pair.flush();
  pair.driveUntil(() => pair.a.session !== undefined);
  t.equal(pair.nowMs, 120);
});

t.test("an idle session sends nothing and ends on both sides without a word", async (t) => {
  const pair = Pair.connected();
  pair.drive();
  const before = pair.aToB.packets + pair.bToA.packets;
  t.equal(pair.a.session!.nextTimer, Timer.IDLE);
  pair.driveFor(299_000);
  t.equal(pair.a.session!.state, SessionState.ESTABLISHED);
  pair.driveFor(2_000);
  for (const side of [pair.a, pair.b]) {
    t.match(side.eventsOf("closed"), [{ code: SessionCode.IDLE }]);
    t.equal(side.endpoint.pollTimeout(), Number.POSITIVE_INFINITY);
  }
  t.equal(pair.aToB.packets + pair.bToA.packets, before);
});

t.test("a session in use does not go idle, nor one whose peer only has stopped reading", async (t) => {
  const pair = Pair.connected({ b: { config: { receiveWindowBytes: 100_000 } } });
  for (let i = 0; i < 5; i++) {
    pair.driveFor(200_000);
    pair.a.send(1, pattern(10), pair.nowMs);
    pair.flush();
  }
  pair.b.stalled.add(0);
  pair.a.send(0, pattern(300_000), pair.nowMs, true);
  pair.flush();
  pair.driveFor(1_200_000);
  t.equal(pair.a.eventsOf("closed").length + pair.b.eventsOf("closed").length, 0);
  pair.b.stalled.delete(0);
  pair.b.read(0);
  pair.flush();
  pair.driveFor(2_000);
  t.ok(pair.b.bytesOf(0).equals(pattern(300_000)));
});

t.test("a session whose peer is gone ends after a minute with data outstanding", async (t) => {
  const pair = Pair.connected();
  pair.drive();
  for (const way of pair.ways) way.cut = true;
  pair.driveFor(100_000);
  t.equal(pair.a.eventsOf("closed").length, 0, "not while nothing is outstanding");
  const startMs = pair.nowMs;
  pair.a.send(0, pattern(10), pair.nowMs);
  pair.flush();
  pair.driveUntil(() => pair.a.session === undefined);
  t.match(pair.a.eventsOf("closed"), [{ code: SessionCode.TIMEOUT }]);
  t.equal(pair.nowMs - startMs, 60_000);
});

t.test("a peer that vanished while it read nothing is noticed", async (t) => {
  const pair = Pair.connected();
  pair.b.stalled.add(0);
  pair.a.send(0, pattern(12_000_000), pair.nowMs, true);
  pair.flush();
  pair.drive();
  for (const way of pair.ways) way.cut = true;
  pair.driveFor(370_000);
  t.match(pair.a.eventsOf("closed"), [{ code: SessionCode.TIMEOUT }]);
});

t.test("a session that may send nothing waits without spinning", async (t) => {
  const pair = Pair.connected();
  pair.drive();
  pair.a.send(0, pattern(100_000), pair.nowMs);
  pair.a.blocked = true;
  let steps = 0;
  const endMs = pair.nowMs + 30_000;
  pair.flush();
  while (pair.step(endMs)) steps++;
  t.ok(steps < 50, `${steps} steps`);
  t.ok(pair.driveBounded(10_000));
});

t.test("time that runs back is refused as the caller's error", async (t) => {
  const pair = Pair.connected();
  t.throws(() => pair.a.endpoint.handleTimeout(0), /time ran back/);
  t.throws(() => pair.a.endpoint.handleTimeout(Number.NaN), /time ran back/);
});

t.test("a side that only acknowledges doubts its way when the peer sends again what came", async (t) => {
  const pair = Pair.connected();
  pair.a.send(0, pattern(20_000, 1), pair.nowMs);
  pair.flush();
  pair.driveUntil(() => pair.b.bytesOf(0).length === 20_000, 10_000);
  t.equal(pair.b.eventsOf("path-doubt").length, 0);
  pair.bToA.cut = true;
  const startMs = pair.nowMs;
  pair.a.send(0, pattern(2_000, 2), pair.nowMs);
  pair.flush();
  pair.driveUntil(() => pair.b.eventsOf("path-doubt").length > 0, 10_000);
  t.match(pair.b.eventsOf("path-doubt"), [{ ptoCount: 1 }]);
  t.ok(pair.nowMs - startMs < 1_000, "at the peer's first probe timeout");
  pair.driveUntil(() => pair.nowMs > startMs + 5_000, 10_000);
  t.ok(pair.b.eventsOf("path-doubt").length <= 8, "not at every packet");
});

t.test("bytes for which no way is found for a minute end the session; a way found before that saves it", async (t) => {
  for (const minutes of [0.9, 1.1]) {
    const pair = connected({ latencyMs: 10 });
    pair.driveFor(1_000);
    pair.a.blocked = true;
    pair.a.send(0, pattern(100), pair.nowMs);
    pair.flush();
    pair.driveFor(minutes * 60_000);
    pair.a.blocked = false;
    pair.flush();
    pair.driveFor(1_000);
    if (minutes < 1) t.equal(pair.b.receivedBytes[0], 100);
    t.match(pair.a.eventsOf("closed"), minutes < 1 ? [] : [{ code: SessionCode.TIMEOUT }]);
  }
});

t.test("an acknowledgement for which there is no way ends nothing", async (t) => {
  const pair = connected({ latencyMs: 10 });
  pair.driveFor(1_000);
  pair.a.blocked = true;
  pair.b.send(1, pattern(100), pair.nowMs);
  pair.flush();
  pair.driveFor(55_000);
  pair.driveFor(55_000);
  t.equal(pair.a.session?.state, SessionState.ESTABLISHED);
});
