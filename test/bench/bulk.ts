import type { Bench, Benchmark, Outcome } from "./benchmark.js";
import { alternate, pause } from "./figures.js";
import { CHAIN } from "./homeservers.js";
import { openLibp2p } from "./libp2p.js";
import { makeNodes, startNodes } from "./mesh.js";
import { openTls } from "./tls.js";
import { Worker } from "./worker.js";
import { openYggdrasil } from "./yggdrasil.js";

const ROUNDS = 7;
const ROUND_MS = 800;
/** For a flow to find its speed, and for what is on the way to pass before the next one begins. */
const WARM_UP_MS = 400;
const DRAIN_MS = 150;

const STREAM = { what: "bulk stream A–R–B, encrypted from end to end", unit: "MB/s" };

/** Starts and stops a flow, and measures what comes out of it, in bytes a second. */
export interface Stream {
  readonly sender: Worker;
  measure(durationMs: number): Promise<number>;
}

/** A stream from node to node through one relay, three daemons, beside others that carry one. */
export const bulk: Benchmark = {
  lines: [
    { ...STREAM, name: "bulk-tls", against: "TLS by a blind relay", target: { atLeast: 0.5 } },
    { ...STREAM, name: "bulk-yggdrasil", against: "Yggdrasil", target: { atLeast: 2 } },
    { ...STREAM, name: "bulk-libp2p", against: "js-libp2p by its relay", target: { atLeast: 3 } },
  ],

  async run(bench) {
    const ours = await openOurs(bench);
    const others = { "bulk-tls": openTls, "bulk-yggdrasil": openYggdrasil, "bulk-libp2p": openLibp2p };
    const outcomes: Record<string, Outcome> = {};
    for (const [name, open] of Object.entries(others)) {
      if (!bench.wants(name)) continue;
      try {
        const other = await open(bench);
        const { mesh, reference } = await alternate(ROUNDS, { mesh: () => rate(ours), reference: () => rate(other) });
        outcomes[name] = { ours: mesh, reference };
      } catch (error) {
        outcomes[name] = { absent: messageOf(error) };
      }
    }
    return outcomes;
  },
};

/** Megabytes a second that come out of a flow that runs for this long alone. */
async function rate({ sender, measure }: Stream): Promise<number> {
  await sender.ask("send");
  await pause(WARM_UP_MS);
  const bytesPerS = await measure(ROUND_MS);
  await sender.ask("stop");
  await pause(DRAIN_MS);
  return bytesPerS / 1e6;
}

/** Three daemons in a row, and a session from the first to the last. */
async function openOurs(bench: Bench): Promise<Stream> {
  const programs = { 0: "bulk-node", 2: "bulk-node" };
  const nodes = await makeNodes(bench, { nodeCount: 3, edges: CHAIN, programs });
  await startNodes(nodes);
  const [sender, receiver] = [new Worker(nodes[0]!.process!), new Worker(nodes[2]!.process!)];
  await sender.ask("open", { to: nodes[2]!.name });
  const measure = async (durationMs: number) => (await receiver.ask<number[]>("measure", { durationMs }))[0]!;
  return { sender, measure };
}

/** The last line of what a program said when it failed says most. */
function messageOf(error: unknown): string {
  return String((error as Error).message)
    .trim()
    .split("\n")
    .at(-1)!;
}
