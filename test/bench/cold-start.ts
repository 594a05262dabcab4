import type { Benchmark } from "./benchmark.js";
import { openHomeservers } from "./homeservers.js";

const ROUNDS = 5;

/** A daemon's start, as a homeserver sees it that waits for it. */
export const coldStart: Benchmark = {
  lines: [
    { name: "cold-start", what: "cold daemon to its first delivered request", unit: "ms", target: { atMost: 1_500 } },
  ],

  async run(bench) {
    const { a, byMesh, nodes } = await openHomeservers(bench);
    const ours: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await nodes[0]!.end("SIGTERM");
      const startMs = performance.now();
      nodes[0]!.start();
      await a.ask("firstPut", byMesh);
      ours.push(performance.now() - startMs);
    }
    return { "cold-start": { ours } };
  },
};
