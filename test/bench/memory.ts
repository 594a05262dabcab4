import { setTimeout as sleep } from "node:timers/promises";
import { Memory } from "../e2e/figures.js";
import type { Bench, Benchmark, Outcome } from "./benchmark.js";
import { openHomeservers } from "./homeservers.js";
import { makeNodes, startNodes } from "./mesh.js";
import { memoryBytes } from "./proc.js";
import { Worker } from "./worker.js";

const LINKS = 1_000;
/** After the last hello: a collection is due some time. */
const SETTLE_MS = 5_000;
const BODY_BYTES = 500 * 1024 * 1024;
const STILL_MS = 5_000;
const MIB = 1024 * 1024;

/** What a daemon holds in memory, as the system counts it. */
export const memory: Benchmark = {
  lines: [
    {
      name: "memory-link",
      what: "memory of a relay with 1,000 idle links",
      unit: "KiB a link",
      target: { atMost: 64 },
    },
    {
      name: "memory-body",
      what: "memory of two daemons while a body of 500 MiB passes, growth",
      unit: "MiB",
      target: { atMost: 64 },
    },
    { name: "memory-still", what: "the same while its reader stands still", unit: "MiB", target: { atMost: 64 } },
  ],

  async run(bench) {
    const outcomes: Record<string, Outcome> = {};
    if (bench.wants("memory-link")) outcomes["memory-link"] = { ours: [await idleLinks(bench)] };
    if (bench.wants("memory-body", "memory-still")) Object.assign(outcomes, await bodies(bench));
    return outcomes;
  },
};

async function idleLinks(bench: Bench): Promise<number> {
  const [relay] = await makeNodes(bench, { nodeCount: 1, edges: [] });
  await startNodes([relay!]);
  const { listen } = await relay!.status();
  const neighbours = await Worker.start(bench, "many-nodes");
  const pid = relay!.process!.pid!;
  const beforeBytes = memoryBytes(pid);
  await neighbours.ask("link", { port: Number(listen[0]!.split(":").at(-1)), count: LINKS });
  await sleep(SETTLE_MS);
  const { links } = await relay!.status();
  if (links.length !== LINKS) throw new Error(`${links.length} of ${LINKS} links are up`);
  return (memoryBytes(pid) - beforeBytes) / LINKS / 1_024;
}

/** Of the two daemons the one that grows more. */
async function bodies(bench: Bench): Promise<Record<string, Outcome>> {
  const { a, byMesh, nodes } = await openHomeservers(bench);
  const growth = async (work: () => Promise<unknown>) => {
    const memories = [nodes[0]!, nodes[2]!].map((node) => new Memory(node));
    await work();
    return Math.max(...memories.map((one) => one.growthBytes())) / MIB;
  };
  // What a node has once it works is no growth.
  await a.ask("download", { ...byMesh, sizeBytes: BODY_BYTES / 10 });
  // The still one first: a body that passed leaves room that a second one would not be seen to take.
  const still = await growth(() => a.ask("standStill", { ...byMesh, sizeBytes: BODY_BYTES, durationMs: STILL_MS }));
  const body = await growth(() => a.ask("download", { ...byMesh, sizeBytes: BODY_BYTES }));
  return { "memory-body": { ours: [body] }, "memory-still": { ours: [still] } };
}
