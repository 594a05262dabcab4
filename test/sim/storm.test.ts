import t from "tap";
import { Check } from "../../sim/checkers/check.js";
import { storm } from "../../sim/faults.js";
import { FrameLog } from "../../sim/frame-log.js";
import { randomConnected } from "../../sim/graphs.js";
import { Network } from "../../sim/network.js";
import { Random } from "../../sim/random.js";
import { Traffic } from "../../sim/traffic.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";

const NODES = 50;
const FLOWS = 16;
const crypto = nativeCrypto();
const BYTES = 600_000;

for (const seed of [1, 2, 3]) {
  t.test(`every byte arrives, once and in order, whatever breaks on the way (seed ${seed})`, async (t) => {
    const random = new Random(seed);
    const network = new Network({
      seed,
      graph: randomConnected(NODES, NODES, random),
      crypto,
      link: { bytesPerMs: 1_000, loss: [1, 500] },
    });
    network.run(3_000);
    const traffic = new Traffic(network);
    const frames = new FrameLog();
    const check = new Check({ network, crypto, frames, traffic, isHonest: () => true });
    for (let i = 0; i < FLOWS; i++) traffic.send(i, NODES - 1 - i, BYTES + i);
    // Who cannot be reached at all at first is told so: that is another test.
    network.run(500);
    // The ends of a flow may be stopped but not crash: a session does not outlive its node.
    const relays = Array.from({ length: NODES - 2 * FLOWS }, (_, i) => FLOWS + i);
    storm(network, random, { faults: 40, gapMs: [50, 400], lastsMs: [500, 8_000], nodes: relays });
    const isOver = network.runUntil(() => traffic.flows.every(({ isDone, isBroken }) => isDone || isBroken), 60_000);
    t.ok(isOver, `all flows have ended after ${Math.round(network.nowMs)} ms`);
    for (const { from, to, isDone, isCorrupt, receivedBytes, sizeBytes } of traffic.flows) {
      t.ok(isDone && !isCorrupt && receivedBytes === sizeBytes, `${from} to ${to}: ${receivedBytes} of ${sizeBytes}`);
    }
    network.run(20_000);
    t.ok(network.isLinked(), "all links are up again");
    const [from, to] = [random.below(NODES), random.below(NODES)];
    t.ok(network.pings(from, to), `${from} pings ${to}`);
    t.same(check.violations, []);
  });
}
