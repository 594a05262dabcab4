/** Both streams of a session, end to end over a way that loses, doubles, turns round and marks. */
import { createHash } from "node:crypto";
import t from "tap";
import { portableCrypto } from "../../src/crypto/portable.js";
import { SessionCode, SessionState } from "../../src/session/codes.js";
import { Pair, type PairOptions, TestRandom } from "../pair.js";
import { pattern } from "./support.js";

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Sends `sizeBytes` on each stream from each side at once and says whether all of it arrived, in order, once, unaltered. */
function sendsAllWays(pair: Pair, sizeBytes: number, limitMs: number): boolean {
  const sides = [pair.a, pair.b];
  sides.forEach((side, i) => {
    for (const stream of [0, 1]) side.send(stream, pattern(sizeBytes, 2 * i + stream + 1), pair.nowMs, true);
  });
  pair.flush();
  if (!pair.driveUntil(() => sides.every((side) => side.eventsOf("finished").length === 2), limitMs)) return false;
  return sides.every((side, i) =>
    [0, 1].every((stream) => digest(side.bytesOf(stream)) === digest(pattern(sizeBytes, 2 * (1 - i) + stream + 1))),
  );
}

t.test("bytes arrive in order, once and unaltered, at 0 to 30 % loss, doubled and turned round", async (t) => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = new TestRandom(seed);
    const pair = Pair.connected({ seed });
    for (const way of pair.ways) {
      way.lossPerMille = 10 * (seed % 31);
      way.duplicatePerMille = random.below(200);
      way.reorderPerMille = random.below(300);
      way.markPerMille = random.below(20);
      way.latencyMs = random.below(40);
      way.reorderMs = random.below(60);
      way.bytesPerMs = 100 + random.below(100_000);
    }
    t.ok(sendsAllWays(pair, 20_000 + random.below(80_000), 600_000), `seed ${seed}`);
    t.equal(pair.a.eventsOf("closed").length + pair.b.eventsOf("closed").length, 0);
  }
});

t.test("the same seed gives the same packets to the last byte, another seed others", async (t) => {
  const transcript = (seed: number) => {
    const hash = createHash("sha256");
    const pair = new Pair({ seed });
    pair.onPacket = (from, packet) => hash.update(`${from} ${pair.nowMs} `).update(packet);
    for (const way of pair.ways) Object.assign(way, { lossPerMille: 50, reorderPerMille: 50, bytesPerMs: 1_000 });
    pair.connect();
    pair.driveUntil(() => pair.b.session !== undefined && pair.a.session !== undefined);
    t.ok(sendsAllWays(pair, 100_000, 60_000));
    return hash.digest("hex");
  };
  t.equal(transcript(7), transcript(7));
  t.not(transcript(7), transcript(8));
});

t.test("both streams run both ways at once at full rate", async (t) => {
  const pair = Pair.connected();
  for (const way of pair.ways) Object.assign(way, { bytesPerMs: 10_000, queueBytesMax: 200_000 });
  const startMs = pair.nowMs;
  t.ok(sendsAllWays(pair, 2_000_000, 60_000));
  t.ok(pair.nowMs - startMs < 600, `4 MB each way at 10 MB/s in ${pair.nowMs - startMs} ms`);
});

t.test("a node with the portable set and one with the native set understand each other", async (t) => {
  const secret = pattern(32);
  const pair = Pair.connected({ a: { crypto: portableCrypto, secret }, b: { secret } });
  t.ok(sendsAllWays(pair, 50_000, 60_000));
});

t.test("large packets carry the same bytes", async (t) => {
  for (const packetBytes of [1_201, 9_000, 61_440]) {
    const config = { packetBytes, packetBytesMax: packetBytes };
    const pair = Pair.connected({ a: { config }, b: { config } });
    let largest = 0;
    pair.onPacket = (_from, packet) => {
      largest = Math.max(largest, packet.length);
    };
    for (const way of pair.ways) way.lossPerMille = 30;
    t.ok(sendsAllWays(pair, 400_000, 60_000));
    t.ok(largest <= packetBytes && largest > packetBytes - 20, `${largest} bytes of ${packetBytes}`);
  }
});

t.test("a reader that stalls does not stop the other stream", async (t) => {
  const pair = Pair.connected();
  pair.b.stalled.add(0);
  const window = pair.b.endpoint.config.receiveWindowBytes;
  pair.a.send(0, pattern(2 * window), pair.nowMs, true);
  pair.flush();
  pair.drive();
  pair.a.send(1, pattern(300_000), pair.nowMs, true);
  pair.flush();
  pair.drive();
  t.ok(pair.b.bytesOf(1).equals(pattern(300_000)));
  t.equal(pair.b.receivedBytes[0], 0);

  pair.b.stalled.delete(0);
  pair.b.read(0);
  pair.flush();
  t.ok(
    pair.driveUntil(() => pair.b.eventsOf("finished").length === 2, 10_000),
    "and gets all when it reads again",
  );
  t.equal(digest(pair.b.bytesOf(0)), digest(pattern(2 * window)));
});

t.test(
  "a peer that never reads is sent no more than its window, and is taken no more from than one window ahead",
  async (t) => {
    const config = { receiveWindowBytes: 200_000 };
    const pair = Pair.connected({ b: { config } });
    pair.b.stalled.add(0);
    const session = pair.a.session!;
    const before = session.stats.bytesSent;
    let written = 0;
    pair.a.onEvent = (event) => {
      if (event.type === "writable") written += session.write(0, new Uint8Array(1e6), pair.nowMs);
    };
    written += session.write(0, new Uint8Array(1e6), pair.nowMs);
    pair.flush();
    pair.drive();
    t.ok(session.stats.bytesSent - before < 220_000);
    t.ok(pair.b.endpoint.memory.bytes <= 200_000 + 16_384);
    written += session.write(0, new Uint8Array(1e6), pair.nowMs);
    t.ok(written - 200_000 <= session.windowBytes, "one congestion window waits");
    t.equal(session.write(0, new Uint8Array(10), pair.nowMs), 0);
    t.equal(pair.a.eventsOf("closed").length, 0);
  },
);

t.test("what is taken ahead is at most a congestion window, and told when there is room", async (t) => {
  const pair = Pair.connected();
  const session = pair.a.session!;
  const taken = session.write(0, new Uint8Array(10_000_000), pair.nowMs);
  t.ok(taken >= 2_400 && taken <= session.windowBytes, `${taken} bytes`);
  t.equal(session.write(0, new Uint8Array(1), pair.nowMs), 0);
  let writable = 0;
  pair.a.onEvent = (event) => {
    if (event.type === "writable") writable++;
  };
  pair.flush();
  pair.drive();
  t.equal(writable, 1, "once, as nobody wrote since");
  t.ok(session.write(0, new Uint8Array(1), pair.nowMs) === 1);
});

t.test("a stream ends for its reader after its last byte, and the other half goes on", async (t) => {
  const pair = Pair.connected();
  pair.b.stalled.add(0);
  pair.a.send(0, pattern(10), pair.nowMs, true);
  pair.flush();
  pair.drive();
  t.equal(pair.b.eventsOf("finished").length, 0, "not before it was read");
  t.equal(pair.b.session!.isFinished(0), false);
  pair.b.read(0);
  pair.flush();
  t.equal(pair.b.eventsOf("finished").length, 1);
  t.equal(pair.b.session!.isFinished(0), true);
  pair.b.send(0, pattern(5_000), pair.nowMs, true);
  pair.flush();
  pair.drive();
  t.ok(pair.a.bytesOf(0).equals(pattern(5_000)));
  t.equal(pair.a.eventsOf("finished").length, 1);
  t.equal(pair.a.session!.isWaiting, false);
});

t.test("an end without bytes arrives too, also when its packet is lost", async (t) => {
  const pair = Pair.connected();
  let left = 1;
  pair.aToB.filter = (packet) => (left-- > 0 ? undefined : packet);
  pair.a.session!.finish(1);
  pair.flush();
  pair.drive();
  t.match(pair.b.eventsOf("finished"), [{ stream: 1 }]);
});

t.test("a reset gives up one stream both ways, once, and the other goes on", async (t) => {
  const pair = Pair.connected();
  pair.b.stalled.add(0);
  for (const side of [pair.a, pair.b]) side.send(0, pattern(500_000), pair.nowMs);
  pair.flush();
  pair.driveFor(100);
  for (const way of pair.ways) way.lossPerMille = 300;
  pair.a.session!.reset(0, 300);
  pair.a.session!.reset(0, 301);
  pair.flush();
  t.equal(pair.a.session!.write(0, new Uint8Array(1), pair.nowMs), 0);
  pair.drive();
  t.match(pair.b.eventsOf("reset"), [{ stream: 0, code: 300 }]);
  t.equal(pair.a.eventsOf("reset").length, 0);
  t.equal(pair.b.session!.write(0, new Uint8Array(1), pair.nowMs), 0);
  t.equal(pair.b.session!.read(0), undefined, "what was not read is gone");
  t.equal(pair.b.endpoint.memory.bytes, 0);
  for (const side of [pair.a, pair.b]) side.send(1, pattern(100_000), pair.nowMs, true);
  pair.flush();
  pair.drive();
  for (const side of [pair.a, pair.b]) t.ok(side.bytesOf(1).equals(pattern(100_000)));
  t.equal(pair.a.session!.isWaiting || pair.b.session!.isWaiting, false);
});

t.test("both giving up a stream at once is no error", async (t) => {
  const pair = Pair.connected();
  pair.a.session!.reset(1, 300);
  pair.b.session!.reset(1, 301);
  pair.flush();
  pair.drive();
  for (const side of [pair.a, pair.b]) {
    t.equal(side.eventsOf("reset").length, 0);
    t.equal(side.session!.state, SessionState.ESTABLISHED);
  }
});

t.test("a close is told with its code and reason, also when its packet is lost", async (t) => {
  for (const lost of [0, 1]) {
    const pair = Pair.connected();
    pair.drive();
    const session = pair.a.session!;
    let left = lost;
    pair.aToB.filter = (packet) => (left-- > 0 ? undefined : packet);
    session.close(300, "bye", pair.nowMs);
    session.close(301, "again", pair.nowMs);
    pair.b.send(0, pattern(100), pair.nowMs);
    pair.flush();
    t.match(pair.a.eventsOf("closed"), [{ code: 300, reason: "bye" }]);
    pair.drive();
    t.match(pair.b.eventsOf("closed"), [{ code: 300, reason: "bye" }]);
    t.equal(pair.a.endpoint.sessionCount + pair.b.endpoint.sessionCount, 0);
    t.equal(pair.a.endpoint.pollTimeout(), Number.POSITIVE_INFINITY);
    t.equal(session.write(0, new Uint8Array(1), pair.nowMs), 0);
  }
});

t.test("what arrived before the close can be read after it", async (t) => {
  const pair = Pair.connected();
  pair.b.stalled.add(0);
  const session = pair.b.session!;
  pair.a.send(0, pattern(50_000), pair.nowMs, true);
  pair.flush();
  pair.drive();
  pair.a.session!.close(SessionCode.DONE, "", pair.nowMs);
  pair.flush();
  pair.drive();
  t.equal(session.state, SessionState.ENDED);
  t.equal(pair.b.endpoint.memory.bytes, 0);
  const parts: Uint8Array[] = [];
  for (let part = session.read(0); part !== undefined; part = session.read(0)) parts.push(part);
  t.ok(Buffer.concat(parts).equals(pattern(50_000)));
  t.equal(session.isFinished(0), true);
});

t.test("no packet is larger than the limit, however much there is to say", async (t) => {
  const pair = Pair.connected();
  for (const way of pair.ways) Object.assign(way, { lossPerMille: 200, reorderPerMille: 200 });
  let largest = 0;
  pair.onPacket = (_from, packet) => {
    largest = Math.max(largest, packet.length);
  };
  t.ok(sendsAllWays(pair, 200_000, 600_000));
  t.equal(largest, 1_200);
});

t.test("a side that may not send for a while goes on where it stopped", async (t) => {
  const pair = Pair.connected();
  pair.a.send(0, pattern(500_000), pair.nowMs, true);
  pair.a.blocked = true;
  pair.flush();
  pair.driveFor(5_000);
  pair.a.blocked = false;
  pair.flush();
  t.ok(pair.driveUntil(() => pair.b.receivedBytes[0] === 500_000, 5_000));
  t.ok(pair.b.bytesOf(0).equals(pattern(500_000)));
});

const rekeyOptions: PairOptions = {
  a: { config: { rekeyPackets: 20 } },
  b: { config: { rekeyPackets: 20 } },
};

t.test("keys are replaced in mid-stream, also with packets turned round, lost and doubled", async (t) => {
  for (const knobs of [
    {},
    { reorderPerMille: 300 },
    { lossPerMille: 200, duplicatePerMille: 100, reorderPerMille: 100 },
  ]) {
    const pair = Pair.connected(rekeyOptions);
    for (const way of pair.ways) Object.assign(way, { bytesPerMs: 1_000 }, knobs);
    t.ok(sendsAllWays(pair, 200_000, 600_000));
    for (const side of [pair.a, pair.b]) {
      const { sent, received } = side.session!.keyPhases;
      t.ok(sent > 4 && received > 4, `${sent} keys sent, ${received} received`);
    }
  }
});

t.test("a side that only acknowledges replaces its keys too", async (t) => {
  const pair = Pair.connected(rekeyOptions);
  pair.aToB.bytesPerMs = 1_000;
  pair.a.send(0, pattern(1_500_000), pair.nowMs, true);
  pair.flush();
  t.ok(pair.driveUntil(() => pair.b.receivedBytes[0] === 1_500_000, 60_000));
  t.ok(pair.b.session!.keyPhases.sent >= 4, `${pair.b.session!.keyPhases.sent}`);
});

t.test("notes come once or not at all, beside the streams", async (t) => {
  const pair = Pair.connected();
  const session = pair.a.session!;
  pair.bToA.lossPerMille = pair.aToB.lossPerMille = 300;
  pair.a.send(0, pattern(100_000, 1), pair.nowMs, true);
  for (let i = 0; i < 40; i++) t.ok(session.note(new Uint8Array(1_000).fill(i)));
  pair.flush();
  pair.driveUntil(() => pair.b.eventsOf("finished").length === 1, 600_000);
  const notes = pair.b.eventsOf("note").map(({ bytes }) => bytes[0]!);
  t.ok(notes.length > 10 && notes.length < 40, `${notes.length} of 40 came`);
  t.equal(new Set(notes).size, notes.length, "none twice");
  t.equal(digest(pair.b.bytesOf(0)), digest(pattern(100_000, 1)));
});

t.test("notes that wait are bounded, and none are taken before and after a session", async (t) => {
  const pair = Pair.connected({ a: { config: { notesMax: 3 } } });
  const session = pair.a.session!;
  const taken = [1, 2, 3, 4].map(() => session.note(new Uint8Array(10)));
  t.same(taken, [true, true, true, false]);
  t.notOk(session.note(new Uint8Array(1_001)));
  t.equal(session.stats.notesRefused, 2);
  session.close(SessionCode.DONE, "", pair.nowMs);
  t.notOk(session.note(new Uint8Array(10)));
});
