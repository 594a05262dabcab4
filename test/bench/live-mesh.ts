/**
 * A mesh of daemons on this machine beside the same mesh in the simulator: the same graph, delays, keys and events, and one script for
 * both. The simulator runs it several times: with messages that are on time, and with some that are as late as this machine makes them.
 * A live figure that is off by more than a third is marked, and whether the machine's lateness accounts for it.
 *
 *   npm run bench:live -- [--nodes 30] [--seed 1] [--runs 3]
 */
import { parseArgs } from "node:util";
import { Ends } from "../e2e/ends.js";
import { LiveBed } from "../e2e/live-bed.js";
import { type Figures, LINK_EXCESS, MeshScript, makePlan } from "./mesh-script.js";
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

/** Where the live figure stands beside those of the simulator. */
function row(what: string, live: number, punctual: readonly number[], late: readonly number[]): string[] {
  if (punctual.length === 0) return [what, "", "", text(live), ""];
  const verdict = isNear(live, punctual) ? "" : isNear(live, late) ? "the machine's lateness" : "differs";
  return [what, span(punctual), span(late), text(live), verdict];
}

/** True where a figure is off the mean of others by a third at most, or among them. */
function isNear(figure: number, others: readonly number[]): boolean {
  const isAmong = figure >= Math.min(...others) && figure <= Math.max(...others);
  const mean = others.reduce((sum, one) => sum + one, 0) / others.length;
  return isAmong || Math.abs(figure - mean) <= OFF * mean;
}

function span(figures: readonly number[]): string {
  const [least, most] = [text(Math.min(...figures)), text(Math.max(...figures))];
  return least === most ? least : `${least} – ${most}`;
}

function text(figure: number): string {
  return Number.isInteger(figure) ? `${figure}` : figure.toFixed(figure < 100 ? 2 : 0);
}

/** The figures of some runs of the simulator, whose messages are up to so much late. */
async function simulate(jitterMs: number): Promise<Figures[]> {
  const figures: Figures[] = [];
  for (let run = 1; run <= runs; run++) {
    say(`simulator, messages up to ${jitterMs} ms late: run ${run} of ${runs}`);
    const bed = new SimBed(plan, run, jitterMs);
    figures.push(await bed.run(() => new MeshScript(bed, plan).run()));
  }
  return figures;
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
const ends = new Ends();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void ends.end().then(() => process.exit(1)));
try {
  say(`${nodes} daemons are started`);
  const bed = await LiveBed.start(ends, plan);
  const live = await new MeshScript(bed, plan, say).run();
  await ends.end();
  // Half of a round trip's excess is how late a message is on average, and all of it then the bound of an even draw.
  const jitterMs = Math.round(live.get(LINK_EXCESS)!);
  const [punctual, late] = [await simulate(1), await simulate(jitterMs)];
  const of = (figures: readonly Figures[], what: string) => figures.flatMap((one) => one.get(what) ?? []);
  print([
    [`${nodes} nodes, ${plan.graph.edges.length} links`, "simulator", `${jitterMs} ms late`, "live", ""],
    ...[...live].map(([what, figure]) => row(what, figure, of(punctual, what), of(late, what))),
  ]);
} finally {
  await ends.end();
}
process.exit();
