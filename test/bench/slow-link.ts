import { type Edge, type Namespaces, namespaces, whyNoNamespaces } from "../e2e/place.js";
import type { Bench, Benchmark, Outcome } from "./benchmark.js";
import { pause, percentile } from "./figures.js";
import { CHAIN, openHomeservers } from "./homeservers.js";
import { makeNodes, startNodes } from "./mesh.js";
import { Worker } from "./worker.js";

const LINK_BITS_PER_S = 10e6;
/** What the link itself holds back: with a long queue there the ping would measure that queue. */
const LINK_QUEUE_MS = 20;
const ROUNDS = 3;
const ROUND_MS = 4_000;
const SETTLE_MS = 3_000;
const PING_GAP_MS = 20;
const PUTS = 60;

/** What is urgent beside what is large, where a link of 10 Mbit/s is all there is: one link of three nodes in network namespaces. */
export const slowLink: Benchmark = {
  lines: [
    {
      name: "beside-body",
      what: "PUT of 1 KiB beside a 500 MB body in the same session, link of 10 Mbit/s, p99",
      unit: "ms",
      target: { atMost: 250 },
    },
    {
      name: "slow-bulk",
      what: "bulk stream on a link of 10 Mbit/s, share of the link",
      unit: "of it",
      target: { atLeast: 0.9 },
    },
    { name: "slow-ping", what: "ping beside it, p99", unit: "ms", target: { atMost: 60 } },
  ],

  async run(bench) {
    const why = whyNoNamespaces();
    if (why !== undefined) {
      return Object.fromEntries(this.lines.map(({ name }): [string, Outcome] => [name, { absent: why }]));
    }
    const outcomes: Record<string, Outcome> = {};
    if (bench.wants("beside-body")) outcomes["beside-body"] = { ours: await putsBesideBody(bench) };
    if (bench.wants("slow-bulk", "slow-ping")) Object.assign(outcomes, await bulkAndPings(bench));
    return outcomes;
  },
};

/** Namespaces for a chain of three, of which the link of the last is slow. */
async function slowChain(bench: Bench): Promise<Namespaces> {
  const place = await namespaces(bench, 3, CHAIN);
  place.slow(CHAIN[1] as Edge, LINK_BITS_PER_S, LINK_QUEUE_MS);
  return place;
}

async function putsBesideBody(bench: Bench): Promise<number[]> {
  const { a, byMesh } = await openHomeservers(bench, await slowChain(bench));
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push(percentile(await a.ask("besideBody", { ...byMesh, count: PUTS, gapMs: PING_GAP_MS }), 0.99));
  }
  return rounds;
}

async function bulkAndPings(bench: Bench): Promise<Record<string, Outcome>> {
  const programs = { 0: "bulk-node", 2: "bulk-node" };
  const nodes = await makeNodes(bench, { nodeCount: 3, edges: CHAIN, place: await slowChain(bench), programs });
  await startNodes(nodes);
  const [a, b] = [new Worker(nodes[0]!.process!), new Worker(nodes[2]!.process!)];
  const to = nodes[0]!.name;
  // From the far side of the slow link, as what a home sends.
  await b.ask("open", { to });
  await b.ask("send");
  await pause(SETTLE_MS);
  const [shares, pings]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const pinged = b.ask<number[]>("pings", { to, durationMs: ROUND_MS, gapMs: PING_GAP_MS });
    const [bytesPerS] = await a.ask<number[]>("measure", { durationMs: ROUND_MS });
    shares.push((8 * bytesPerS!) / LINK_BITS_PER_S);
    pings.push(percentile(await pinged, 0.99));
  }
  return { "slow-bulk": { ours: shares }, "slow-ping": { ours: pings } };
}
