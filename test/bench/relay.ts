import type { MeshNode } from "../e2e/mesh.js";
import type { Bench, Benchmark, Outcome } from "./benchmark.js";
import { alternate, pause } from "./figures.js";
import { makeNodes, startNodes } from "./mesh.js";
import { cpuMs } from "./proc.js";
import { Worker } from "./worker.js";

const ROUNDS = 5;
const ROUND_MS = 800;
const KINDS = ["ours", "best", "bare"] as const;
type Kind = (typeof KINDS)[number];

const FRAMES = [
  { size: "1400", frameBytes: 1_400, atLeast: 0.6 },
  { size: "16k", frameBytes: 16 * 1_024, atLeast: 0.9 },
  { size: "60k", frameBytes: 60_000, atLeast: 0.9 },
] as const;

/** Frames through the router and queue of one relay, beside relays that know no mesh. */
export const relay: Benchmark = {
  lines: [
    ...FRAMES.map(({ size, frameBytes, atLeast }) => ({
      name: `relay-${size}`,
      what: `relay, frames of ${frameBytes} bytes`,
      unit: "frames/s",
      against: "best ws relay",
      target: { atLeast },
    })),
    {
      name: "relay-1400-bare",
      what: "relay, frames of 1400 bytes",
      unit: "frames/s",
      against: "bare ws relay",
      target: { atLeast: 2.5 },
    },
    {
      name: "relay-cpu",
      what: "relay, CPU for a frame of 1400 bytes",
      unit: "µs",
      against: "bare ws relay",
      target: { atMost: 0.4 },
    },
  ],

  async run(bench) {
    const { load, pids } = await openRelays(bench);
    const outcomes: Record<string, Outcome> = {};
    for (const { size, frameBytes } of FRAMES) {
      const isSmall = size === "1400";
      if (!bench.wants(`relay-${size}`) && !(isSmall && bench.wants("relay-1400-bare", "relay-cpu"))) continue;
      const microseconds: Record<Kind, number[]> = { ours: [], best: [], bare: [] };
      const measure = (kind: Kind) => async () => {
        const beforeMs = cpuMs(pids[kind]);
        const order = { kind, frameBytes, durationMs: ROUND_MS };
        const { framesPerS, frames } = await load.ask<{ framesPerS: number; frames: number }>("run", order);
        microseconds[kind].push((1_000 * (cpuMs(pids[kind]) - beforeMs)) / frames);
        return framesPerS;
      };
      const { ours, best, bare } = await alternate(ROUNDS, {
        ours: measure("ours"),
        best: measure("best"),
        bare: measure("bare"),
      });
      outcomes[`relay-${size}`] = { ours, reference: best };
      if (!isSmall) continue;
      outcomes["relay-1400-bare"] = { ours, reference: bare };
      // The round that warms up gave a figure, too.
      outcomes["relay-cpu"] = { ours: microseconds.ours.slice(1), reference: microseconds.bare.slice(1) };
    }
    return outcomes;
  },
};

/** A process with both neighbours of three relays, each in a process of its own. */
async function openRelays(bench: Bench): Promise<{ load: Worker; pids: Record<Kind, number> }> {
  const load = await Worker.start(bench, "relay-load");
  const sink = await load.ask<{ port: number; key: string; name: string }>("sink");
  const pids: Record<Kind, number> = { ours: 0, best: 0, bare: 0 };
  for (const kind of ["best", "bare"] as const) {
    const worker = await Worker.start(bench, "ws-relay", [kind, String(sink.port)]);
    await load.ask("open", { kind, relayPort: await worker.ask("port") });
    pids[kind] = worker.pid;
  }
  const [node] = await makeNodes(bench, {
    nodeCount: 1,
    edges: [],
    peers: [`ws://127.0.0.1:${sink.port}/?key=${sink.key}`],
  });
  await startNodes([node!]);
  const { listen } = await node!.status();
  await load.ask("open", { kind: "ours", relayPort: Number(listen[0]!.split(":").at(-1)) });
  await load.ask("setPort", { kind: "ours", port: await portTo(node!, sink.name) });
  pids.ours = node!.process!.pid!;
  return { load, pids };
}

/** The port that a node gave to the neighbour of that name. */
async function portTo(node: MeshNode, name: string): Promise<number> {
  for (;;) {
    const { links } = await node.status();
    const link = links.find((link) => link.name === name);
    if (link !== undefined) return link.port;
    await pause(20);
  }
}
