import type { Edge } from "../e2e/place.js";
import type { Benchmark } from "./benchmark.js";
import { fairness, median, pause, percentile } from "./figures.js";
import { makeNodes, startNodes } from "./mesh.js";
import { Worker } from "./worker.js";

const SENDERS = 8;
/** The nodes: a relay, who receives, who pings, and the senders. */
const [RELAY, RECEIVER, PINGER, FIRST_SENDER] = [0, 1, 2, 3];
const ROUNDS = 3;
const ROUND_MS = 3_000;
const SETTLE_MS = 2_000;
const PING_GAP_MS = 20;

/** Eight streams through one relay to one receiver. */
export const fair: Benchmark = {
  lines: [
    {
      name: "fairness",
      what: "8 bulk streams from 8 senders by one relay, Jain's index",
      unit: "of 1",
      target: { atLeast: 0.95 },
    },
    { name: "fair-ping", what: "ping beside them, p99, over 5 times the idle one", unit: "ms", target: { atMost: 20 } },
  ],

  async run(bench) {
    const nodeCount = FIRST_SENDER! + SENDERS;
    const others = Array.from({ length: nodeCount - 1 }, (_, index) => index + 1);
    const edges = others.map((node): Edge => [node, RELAY!]);
    const programs = Object.fromEntries(others.map((node) => [node, "bulk-node"]));
    const nodes = await makeNodes(bench, { nodeCount, edges, programs });
    await startNodes(nodes);
    const workers = nodes.map(({ process }) => new Worker(process!));
    const [receiver, pinger, senders] = [workers[RECEIVER!]!, workers[PINGER!]!, workers.slice(FIRST_SENDER)];
    const to = nodes[RECEIVER!]!.name;
    const ping = () => pinger.ask<number[]>("pings", { to, durationMs: ROUND_MS, gapMs: PING_GAP_MS });
    await pause(SETTLE_MS);
    const idleMs = median(await ping());

    await Promise.all(senders.map((sender) => sender.ask("open", { to })));
    await Promise.all(senders.map((sender) => sender.ask("send")));
    await pause(SETTLE_MS);
    const [indices, over]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      const pinged = ping();
      indices.push(fairness(await receiver.ask<number[]>("measure", { durationMs: ROUND_MS })));
      over.push(percentile(await pinged, 0.99) - 5 * idleMs);
    }
    return { fairness: { ours: indices }, "fair-ping": { ours: over } };
  },
};
