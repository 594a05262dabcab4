/**
 * A mesh of daemons on this machine beside the same mesh in the simulator: the same graph, delays, keys and events, and one script for
 * both. The simulator runs it with several seeds for what the plan leaves open; a live figure that is off by more than a third and
 * outside of what those runs gave is marked.
 *
 *   npm run bench:live -- [--nodes 30] [--seed 1] [--runs 3]
 */
import { parseArgs } from "node:util";
import { Ends } from "../e2e/ends.js";
import { LiveBed } from "../e2e/live-bed.js";
import { type Figures, MeshScript, makePlan } from "./mesh-script.js";
import { SimBed } from "./sim-bed.js";

/** Off by more is marked. */
const OFF = 1 / 3;

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
    runs: { type: "string", default: "3" },
  },
});
const [nodes, seed, runs] = [Number(values.nodes), Number(values.seed), Number(values.runs)];
const startedMs = performance.now();

function say(text: string): void {
  process.stderr.write(`${((performance.now() - startedMs) / 1_000).toFixed(1).padStart(7)} s  ${text}\n`);
}

/** Where the live figure stands among those of the simulator. */
function row(what: string, live: number, simulated: readonly number[]): string[] {
  if (simulated.length === 0) return [what, "", "", live.toFixed(2), ""];
  const mean = simulated.reduce((sum, one) => sum + one, 0) / simulated.length;
  const [least, most] = [Math.min(...simulated), Math.max(...simulated)];
  const isOff = Math.abs(live - mean) > OFF * mean && (live < least || live > most);
  const text = (figure: number) => (Number.isInteger(figure) ? `${figure}` : figure.toFixed(2));
  return [what, text(mean), `${text(least)} – ${text(most)}`, text(live), isOff ? "differs" : ""];
}

function print(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  for (const cells of rows)
    console.log(
      cells
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    );
}

const plan = makePlan(nodes, seed);
const simulated: Figures[] = [];
for (let run = 1; run <= runs; run++) {
  say(`simulator, run ${run} of ${runs}`);
  const bed = new SimBed(plan, run);
  simulated.push(await bed.run(() => new MeshScript(bed, plan).run()));
}

const ends = new Ends();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void ends.end().then(() => process.exit(1)));
try {
  say(`${nodes} daemons are started`);
  const bed = await LiveBed.start(ends, plan);
  const live = await new MeshScript(bed, plan, say).run();
  print([
    [`${nodes} nodes, ${plan.graph.edges.length} links`, "simulator", "least – most", "live", ""],
    ...[...live].map(([what, figure]) =>
      row(
        what,
        figure,
        simulated.flatMap((figures) => figures.get(what) ?? []),
      ),
    ),
  ]);
} finally {
  await ends.end();
}
process.exit();
