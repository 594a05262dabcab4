import type { Benchmark } from "./benchmark.js";
import { alternate, median } from "./figures.js";
import { openHomeservers } from "./homeservers.js";
import { Worker } from "./worker.js";

const ROUNDS = 5;
const AT_ONCE = 32;
const ROUND_MS = 1_500;
/** Long enough that nothing of the last one is still going on. */
const GAP_MS = 8;
const SINGLE_PUTS = 60;

/** Small requests: how many, and what the mesh adds to one. */
export const puts: Benchmark = {
  lines: [
    {
      name: "puts",
      what: "PUTs of 1 KiB, 32 at once, homeserver to homeserver, by two daemons and a relay",
      unit: "/s",
      against: "direct HTTP",
      target: { atLeast: 0.35 },
    },
    {
      name: "idle-put",
      what: "what one relay and two daemons add to an idle PUT",
      unit: "ms",
      against: "ws echo by a relay",
      target: { atMost: 3 },
    },
  ],

  async run(bench) {
    const { a, byMesh, direct } = await openHomeservers(bench);
    const many = (way: object) => () => a.ask<number>("puts", { ...way, atOnce: AT_ONCE, durationMs: ROUND_MS });
    const rates = bench.wants("puts")
      ? await alternate(ROUNDS, { mesh: many(byMesh), direct: many(direct) })
      : undefined;

    const echo = await Worker.start(bench, "ws-echo");
    const relay = await Worker.start(bench, "ws-relay", ["bare", String(await echo.ask("port"))]);
    await echo.ask("open", { port: await relay.ask("port") });
    const latency = (worker: Worker, way: object) => async () =>
      median(await worker.ask<number[]>("latencies", { ...way, count: SINGLE_PUTS, gapMs: GAP_MS }));
    const idle = await alternate(ROUNDS, {
      mesh: latency(a, byMesh),
      direct: latency(a, direct),
      echo: latency(echo, {}),
    });
    const added = idle.mesh.map((meshMs, round) => meshMs - idle.direct[round]!);
    return {
      ...(rates && { puts: { ours: rates.mesh, reference: rates.direct } }),
      "idle-put": { ours: added, reference: idle.echo },
    };
  },
};
