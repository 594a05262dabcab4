import t from "tap";
import { type Outcome, runJobs } from "../../sim/program/prove-jobs.js";
import { isMet, type Row } from "../../sim/prove/row.js";
import { proveRows } from "../../sim/prove/table.js";

/* The table that `npm run sim -- prove` prints, small: the same rows and targets, on smaller networks of two kinds, the easiest and the hardest. */

/** For a busy machine: 22 rows of 2 to 10 s of CPU. */
t.setTimeout(1_200_000);

const NODES = 150;
const SEED = 1;
const WORKERS = 2;
/**
 * Fuzz seeds have a test of their own, a hub needs a large graph, three hostile roots are too large a part of a small one, and what is
 * timed needs a machine for itself.
 */
const SMALL =
  /^(cold|staggered|healthy|root-.*|halves)-R$|^(stretch-150|links-die|relays-die|churn|flows-.*)-[RM]$|^idle-150$/;

const rows = proveRows(NODES).filter(({ name }) => SMALL.test(name));
const outcomes = new Map<Row, Outcome>();
const jobs = rows.map((row) => ({ row, seed: SEED }));
await runJobs(jobs, NODES, WORKERS, ({ row }, outcome) => outcomes.set(row, outcome));

for (const row of rows)
  t.test(`${row.name}: ${row.question}`, async (t) => {
    const outcome = outcomes.get(row)!;
    const figures = "figures" in outcome ? outcome.figures : [];
    t.ok(figures.length > 0, "crash" in outcome ? outcome.crash : "");
    for (const figure of figures) {
      const { what, ours, target, unit } = figure;
      t.ok(isMet(figure), `${what}: ${ours} ${unit}, the target is ${target} ${unit}`);
    }
  });
