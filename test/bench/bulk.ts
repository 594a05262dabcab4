import type { Bench, Benchmark } from "./benchmark.js";
import { alternate, pause } from "./figures.js";
import { makeNodes, startNodes } from "./mesh.js";
import { openTls } from "./tls.js";
import { Worker } from "./worker.js";

const ROUNDS = 7;
const ROUND_MS = 800;
/** For a flow to find its speed, and for what is on the way to pass before the next one begins. */
const WARM_UP_MS = 400;
const DRAIN_MS = 150;

/** A stream from node to node through one relay, three daemons, beside others that carry one. */
export const bulk: Benchmark = {
  lines: [
    {
      name: "bulk-tls",
      what: "bulk stream A–R–B, encrypted from end to end",
      unit: "MB/s",
      against: "TLS by a blind relay",
      target: { atLeast: 0.5 },
    },
  ],

  async run(bench) {
    const ours = await openOurs(bench);
    const tls = await openTls(bench);
    const { ours: mesh, tls: reference } = await alternate(ROUNDS, {
      ours: () => rate(ours.a, async () => (await ours.b.ask<number[]>("measure", { durationMs: ROUND_MS }))[0]!),
      tls: () => rate(tls.client, () => tls.server.ask("measure", { durationMs: ROUND_MS })),
    });
    return { "bulk-tls": { ours: mesh, reference } };
  },
};

/** Megabytes a second that come out of a flow that runs for this long alone. */
async function rate(sender: Worker, measure: () => Promise<number>): Promise<number> {
  await sender.ask("send");
  await pause(WARM_UP_MS);
  const bytesPerS = await measure();
  await sender.ask("stop");
  await pause(DRAIN_MS);
  return bytesPerS / 1e6;
}

/** Three daemons in a row, and a session from the first to the last. */
async function openOurs(bench: Bench): Promise<{ a: Worker; b: Worker }> {
  const programs = { 0: "bulk-node", 2: "bulk-node" };
  const nodes = await makeNodes(bench, {
    nodeCount: 3,
    edges: [
      [0, 1],
      [2, 1],
    ],
    programs,
  });
  await startNodes(nodes);
  const [a, b] = [new Worker(nodes[0]!.process!), new Worker(nodes[2]!.process!)];
  await a.ask("open", { to: nodes[2]!.name });
  return { a, b };
}
