import t from "tap";
import { Congestion, cubeRoot } from "../../src/session/congestion.js";
import { AckFrame } from "../../src/session/frames.js";
import { Pacer } from "../../src/session/pacing.js";
import { Recovery } from "../../src/session/recovery.js";
import { RttEstimator } from "../../src/session/rtt.js";
import { type SentPacket, SentPacketPool } from "../../src/session/sent-packets.js";
import { SessionStats } from "../../src/session/stats.js";
import { config } from "./support.js";

const PACKET = 1_200;

/** A recovery whose fates are written down. */
function recovery(changes = {}) {
  const acked: number[] = [];
  const lost: number[] = [];
  const stats = new SessionStats();
  const fates = {
    handlePacketAcked: (packet: SentPacket) => acked.push(packet.number),
    handlePacketLost: (packet: SentPacket) => lost.push(packet.number),
  };
  const machine = new Recovery(config(changes), new SentPacketPool(), fates, stats);
  const send = (number: number, nowMs: number) => machine.handleSent(machine.takePacket(), number, PACKET, nowMs);
  return { machine, acked, lost, stats, send };
}

/** An ACK of ranges, from the highest down. */
function ack(ranges: [number, number][], marked = 0, delayMs = 0): AckFrame {
  const frame = new AckFrame();
  Object.assign(frame, { largest: ranges[0]![1], delayMs, marked, rangeCount: ranges.length });
  ranges.forEach(([start, end], i) => {
    frame.starts[i] = start;
    frame.ends[i] = end;
  });
  return frame;
}

t.test("acknowledged packets leave flight, in order, once", async (t) => {
  const { machine, acked, send } = recovery();
  for (let i = 0; i < 6; i++) send(i, 0);
  machine.handleAck(
    ack(
      [
        [4, 5],
        [0, 1],
      ].map(([a, b]) => [a!, b!]),
    ),
    100,
  );
  machine.handleAck(
    ack(
      [
        [4, 5],
        [0, 1],
      ].map(([a, b]) => [a!, b!]),
    ),
    110,
  );
  t.strictSame(acked, [0, 1, 4, 5]);
});

t.test("a packet is lost once one sent three later is acknowledged", async (t) => {
  const { machine, lost, send } = recovery();
  for (let i = 0; i < 5; i++) send(i, 0);
  machine.handleAck(ack([[2, 2]]), 100);
  t.strictSame(lost, []);
  machine.handleAck(ack([[3, 3]]), 101);
  t.strictSame(lost, [0]);
  machine.handleAck(ack([[4, 4]]), 102);
  t.strictSame(lost, [0, 1]);
  t.equal(machine.bytesInFlight, 0);
});

t.test("a packet that was overtaken is lost after nine eighths of a round trip", async (t) => {
  const { machine, lost, send } = recovery();
  send(0, 0);
  send(1, 10);
  machine.handleAck(ack([[1, 1]]), 110);
  t.strictSame(lost, []);
  t.equal(machine.lossDeadlineMs, 112.5);
  t.equal(machine.probeDeadlineMs, Number.POSITIVE_INFINITY, "no probe while that is waited for");
  machine.handleLossTimeout(112.5);
  t.strictSame(lost, [0]);
});

t.test("probe timeouts double, up to their limit, and two packets may go at each", async (t) => {
  const { machine, lost, send, stats } = recovery({ probeTimeoutMsMax: 1_000 });
  machine.handleHandshakeSample(40, 0);
  send(0, 0);
  send(1, 0);
  send(2, 0);
  const gaps: number[] = [];
  for (let i = 0, fromMs = 0; i < 5; i++) {
    const deadlineMs = machine.probeDeadlineMs;
    gaps.push(deadlineMs - fromMs);
    machine.handleProbeTimeout(deadlineMs);
    t.equal(machine.probeDue, true);
    fromMs = deadlineMs;
  }
  t.strictSame(gaps, [145, 290, 580, 1_000, 1_000]);
  t.strictSame(lost.slice(0, 4), [0, 1, 0, 1], "what the oldest two carried goes again");
  t.equal(stats.probeTimeouts, 5);
  t.equal(machine.bytesInFlight, 3 * PACKET, "they still count as in flight");
  send(3, 4_000);
  send(4, 4_000);
  t.equal(machine.probeDue, false);
  machine.handleAck(ack([[4, 4]]), 4_040);
  t.equal(machine.probeTimeouts, 0);
});

t.test("a probe that cannot be sent does not make the timer spin", async (t) => {
  const { machine, send } = recovery();
  send(0, 0);
  const firstMs = machine.probeDeadlineMs;
  machine.handleProbeTimeout(firstMs);
  t.ok(machine.probeDeadlineMs > firstMs + 500);
});

t.test("losses over a long time with nothing between collapse the window, short ones do not", async (t) => {
  for (const gapMs of [50, 1_000]) {
    const { machine, send } = recovery();
    machine.handleHandshakeSample(40, 0);
    for (let i = 0; i < 5; i++) send(i, i * gapMs);
    send(9, 5 * gapMs);
    const before = machine.windowBytes;
    machine.handleAck(ack([[9, 9]]), 5 * gapMs + 40);
    if (gapMs === 1_000) t.equal(machine.windowBytes, 3 * PACKET, "the smallest, and what was acknowledged");
    else t.equal(machine.windowBytes, 0.7 * before);
  }
});

t.test("a packet between the losses shows that it was not persistent", async (t) => {
  const { machine, send } = recovery();
  machine.handleHandshakeSample(40, 0);
  for (let i = 0; i < 6; i++) send(i, i * 200);
  machine.handleAck(ack([[3, 3]]), 1_100);
  send(9, 1_200);
  machine.handleAck(ack([[9, 9]]), 1_240);
  t.ok(machine.windowBytes > 2 * PACKET);
});

t.test("marks make the window smaller once a round trip", async (t) => {
  const { machine, send, stats } = recovery();
  for (let i = 0; i < 10; i++) send(i, i);
  const before = machine.windowBytes;
  machine.handleAck(ack([[0, 0]], 1), 50);
  const after = machine.windowBytes;
  t.equal(after, before * 0.85);
  for (let i = 1; i < 10; i++) machine.handleAck(ack([[0, i]], 1 + i), 50 + i);
  t.equal(machine.windowBytes, after, "the others were sent before the reaction");
  t.equal(stats.congestionEvents, 1);
  send(10, 70);
  machine.handleAck(ack([[0, 10]], 10), 120);
  t.ok(machine.windowBytes >= after, "no more marks than before");
  send(11, 130);
  machine.handleAck(ack([[0, 11]], 11), 180);
  t.ok(machine.windowBytes < after, "a new one, a round trip later");
});

t.test("a new way starts the window anew, and the old way's losses do not count against it", async (t) => {
  const { machine, send, lost } = recovery();
  machine.handleHandshakeSample(100, 0);
  for (let i = 0; i < 8; i++) send(i, i);
  machine.handleAck(ack([[7, 7]], 1), 100);
  for (let i = 8; i < 12; i++) send(i, 101);
  const shrunk = machine.windowBytes;
  machine.handleProbeTimeout(500);
  machine.handleRouteChanged(1_000);
  t.ok(machine.windowBytes > shrunk);
  t.equal(machine.probeTimeouts, 0);
  t.equal(machine.probeDue, true, "what is in flight is probed at once");
  t.equal(machine.rtt.sampled, false);
  const fresh = machine.windowBytes;
  send(12, 1_000);
  send(13, 1_000);
  machine.handleAck(ack([[12, 13]]), 1_020);
  t.ok(lost.includes(8) && lost.includes(10));
  t.equal(machine.windowBytes, fresh);
  t.equal(machine.rtt.smoothedMs, 20);
});

t.test("a late acknowledgement from the old way is no sample of the new one", async (t) => {
  const { machine, send } = recovery();
  send(0, 0);
  machine.handleRouteChanged(50);
  machine.handleAck(ack([[0, 0]]), 400);
  t.equal(machine.rtt.sampled, false);
});

t.test("packets in flight are bounded, and the bound is counted", async (t) => {
  const { machine, send, stats } = recovery({ packetsInFlightMax: 3 });
  for (let i = 0; i < 3; i++) send(i, 0);
  t.equal(machine.hasRoom, false);
  t.equal(stats.packetsInFlightRefused, 1);
  machine.handleAck(ack([[0, 0]]), 10);
  t.equal(machine.hasRoom, true);
});

t.test("round trips are smoothed as RFC 9002 says", async (t) => {
  const rtt = new RttEstimator(333);
  t.equal(rtt.probeTimeoutMs, 333 + 4 * 166.5 + 25);
  rtt.update(100, 10);
  t.equal(rtt.smoothedMs, 100, "the first sample as it is");
  t.equal(rtt.probeTimeoutMs, 100 + 4 * 50 + 25);
  rtt.update(140, 20);
  t.equal(rtt.smoothedMs, 100 * (7 / 8) + 120 / 8, "less what the peer held back");
  rtt.update(105, 20);
  t.equal(rtt.latestMs, 105);
  rtt.update(100, 1e9);
  t.equal(rtt.minMs, 100);
});

t.test("the window doubles each round trip in slow start, where it is what limits", async (t) => {
  const congestion = new Congestion(config());
  let inFlight = congestion.windowBytes;
  const before = inFlight;
  for (let acked = 0; acked + PACKET <= before; acked += PACKET) {
    congestion.handleAcked(PACKET, 0, inFlight, 50, 50);
    inFlight = congestion.windowBytes;
  }
  t.equal(congestion.windowBytes, 2 * before);
  for (let i = 0; i < 100; i++) congestion.handleAcked(PACKET, 60, 3 * PACKET, 50, 110);
  t.equal(congestion.windowBytes, 2 * before, "a sender with little to say does not make it grow");
});

t.test("after a loss the window comes back along a cubic, and not beyond its bound", async (t) => {
  const congestion = new Congestion(config({ congestionWindowBytesMax: 2_000 * PACKET }));
  const round = (nowMs: number) => {
    const packets = congestion.windowBytes / PACKET;
    for (let i = 0; i < packets; i++) congestion.handleAcked(PACKET, nowMs - 100, congestion.windowBytes, 100, nowMs);
  };
  let nowMs = 100;
  while (congestion.windowBytes < 1_000 * PACKET) round((nowMs += 100));
  const peak = congestion.windowBytes;
  t.equal(congestion.handleCongestion(nowMs, false, nowMs), true);
  t.equal(congestion.handleCongestion(nowMs, false, nowMs + 1), false);
  t.equal(congestion.windowBytes, 0.7 * peak);
  const backAfterMs = 1_000 * cubeRoot((0.3 * peak) / PACKET / 0.4);
  const startMs = nowMs;
  while (nowMs < startMs + 0.5 * backAfterMs) round((nowMs += 100));
  t.ok(congestion.windowBytes > 0.93 * peak && congestion.windowBytes < peak, "near its plateau at half time");
  while (nowMs < startMs + 1.1 * backAfterMs) round((nowMs += 100));
  t.ok(congestion.windowBytes > 0.99 * peak && congestion.windowBytes < 1.05 * peak);
  while (nowMs < startMs + 5 * backAfterMs) round((nowMs += 100));
  t.equal(congestion.windowBytes, 2_000 * PACKET);
});

t.test("a mark, which comes early, takes less of the window than a loss", async (t) => {
  const congestion = new Congestion(config());
  const before = congestion.windowBytes;
  t.equal(congestion.handleCongestion(1, true, 1), true);
  t.equal(congestion.windowBytes, 0.85 * before);
});

t.test("two packets are the smallest window, and of large packets the first one", async (t) => {
  const congestion = new Congestion(config());
  for (let i = 1; i < 30; i++) congestion.handleCongestion(i, false, i);
  t.equal(congestion.windowBytes, 2 * PACKET);
  t.equal(new Congestion(config({ packetBytes: 61_440 })).windowBytes, 2 * 61_440);
});

t.test("a cube root is one", async (t) => {
  t.equal(cubeRoot(0), 0);
  for (const value of [1e-6, 0.3, 1, 2, 27, 1_000, 12_345.678, 1e7]) {
    const root = cubeRoot(value);
    t.ok(Math.abs(root * root * root - value) <= 1e-12 * value, `${value}`);
  }
});

t.test(
  "a pacer that is asked late lets out what would have gone meanwhile, and after silence a burst alone",
  async (t) => {
    const pacer = new Pacer(config());
    const window = 1_000 * PACKET;
    const takeAll = (nowMs: number) => {
      let count = 0;
      for (; pacer.readyMs(PACKET, window, 100, nowMs) <= nowMs; count++) pacer.spend(PACKET);
      return count;
    };
    t.equal(takeAll(0), 50, "4 ms at 12.5 packets a millisecond");
    t.equal(takeAll(10), 125, "no timer was so late that anything is lost");
    t.ok(takeAll(1_000) <= 50 + 30 * 12.5, "but for what a stall would let out");
    pacer.readyMs(PACKET, window, 100, 1_001);
    t.ok(pacer.readyMs(PACKET, window, 100, 1_001) <= 1_001, "nothing waits");
    t.ok(takeAll(2_000) <= 50);
  },
);

t.test("the pacer lets ten packets out at once, then spreads them", async (t) => {
  const pacer = new Pacer(config());
  const window = 100 * PACKET;
  let atOnce = 0;
  while (pacer.readyMs(1_200, window, 100, 0) <= 0) {
    pacer.spend(PACKET);
    atOnce++;
  }
  t.equal(atOnce, 10);
  let sent = 0;
  let nowMs = 0;
  while (nowMs < 100) {
    const readyMs = pacer.readyMs(1_200, window, 100, nowMs);
    if (readyMs > nowMs) {
      t.ok(readyMs >= nowMs + 1, "no finer than a millisecond");
      nowMs = readyMs;
      continue;
    }
    pacer.spend(PACKET);
    sent++;
  }
  t.ok(sent >= 120 && sent <= 126, `a quarter more than the window in a round trip: ${sent}`);
});

t.test(
  "the probe timeout counts from the last acknowledgement: a flow of small packets notices a dead way in time",
  async (t) => {
    const { machine, send } = recovery();
    machine.handleHandshakeSample(100, 0);
    send(0, 0);
    machine.handleAck(ack([[0, 0]]), 100);
    const dueMs = [120, 140, 160, 180].map((nowMs, i) => {
      send(i + 1, nowMs);
      return machine.probeDeadlineMs;
    });
    t.equal(new Set(dueMs).size, 1, "no packet puts it off");
    t.equal(dueMs[0], 120 + machine.rtt.probeTimeoutMs, "from the first that is in flight");
  },
);

t.test("a way whose round trip was measured is trusted with it, but not below what the last one took", async (t) => {
  const { machine, send } = recovery();
  machine.handleHandshakeSample(50, 0);
  send(0, 0);
  machine.handleRouteChanged(10, 20);
  t.equal(machine.rtt.smoothedMs, 50, "queues may be as long as before");
  machine.handleRouteChanged(20, 80);
  t.equal(machine.rtt.smoothedMs, 80);
  machine.handleRouteChanged(30, 5_000);
  t.equal(machine.rtt.smoothedMs, 333, "never above the first guess");
});
