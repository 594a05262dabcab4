/**
 * Measures what is fast and what is not, beside what others do in the same run: `npm run bench -- [--list] [--json] [--check] [line …]`.
 * docs/performance.md explains it.
 */
import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { BARE_NODE } from "../daemon/bare-node.js";
import { Ends } from "../e2e/ends.js";
import type { Bench, Benchmark, Outcome } from "./benchmark.js";
import { body } from "./body.js";
import { bulk } from "./bulk.js";
import { classic } from "./classic.js";
import { coldStart } from "./cold-start.js";
import { collections } from "./collections.js";
import { fair } from "./fairness.js";
import { gatewayMemory } from "./gateway-memory.js";
import { memory } from "./memory.js";
import { puts } from "./puts.js";
import { relay } from "./relay.js";
import { slowLink } from "./slow-link.js";
import { formatRow, type Row, rowOf } from "./table.js";

/** In the order of the table. */
const BENCHMARKS: readonly Benchmark[] = [
  relay,
  bulk,
  body,
  puts,
  classic,
  slowLink,
  fair,
  memory,
  gatewayMemory,
  collections,
  coldStart,
];

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    profile: { type: "string" },
  },
});

const lines = BENCHMARKS.flatMap((benchmark) => benchmark.lines);
const unknown = names.filter((name) => !lines.some((line) => line.name === name));
if (unknown.length > 0) {
  console.error(`there is no line ${unknown.join(", ")}: --list shows them`);
  process.exit(2);
}
const isWanted = (name: string) => names.length === 0 || names.includes(name);
const rows = options.list ? lines.map((line) => rowOf(line, { absent: "listed" })) : await measure();
if (options.list)
  for (const { name, what, against } of rows) console.log(name.padEnd(20), what, against ? `/ ${against}` : "");
if (options.json) console.log(JSON.stringify({ at: new Date().toISOString(), node: process.version, rows }));
process.exit(options.check && rows.some(({ met }) => met === false) ? 1 : 0);

/** Measures the wanted lines, one benchmark after the other. */
async function measure(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const benchmark of BENCHMARKS) {
    const wanted = benchmark.lines.filter(({ name }) => isWanted(name));
    if (wanted.length === 0) continue;
    const outcomes = await runOne(benchmark);
    for (const line of wanted) {
      const row = rowOf(line, outcomes[line.name] ?? { absent: "it gave no figure" });
      rows.push(row);
      if (!options.json) console.log(formatRow(row));
    }
  }
  return rows;
}

/** One that breaks does not keep the others from being measured: its lines are missed. */
async function runOne(benchmark: Benchmark): Promise<Readonly<Record<string, Outcome>>> {
  const ends = new Ends();
  const stop = () => void ends.end().finally(() => process.exit(130));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const bench: Bench = {
    tell: (text) => console.error(text),
    node: [...BARE_NODE, ...profiling(options.profile)],
    wants: (...some) => some.some(isWanted),
    teardown: (end) => ends.teardown(end),
  };
  try {
    return await benchmark.run(bench);
  } finally {
    await ends.end();
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/** Has each process write a profile of its CPU into a folder. */
function profiling(folder: string | undefined): string[] {
  if (folder === undefined) return [];
  mkdirSync(folder, { recursive: true });
  return ["--cpu-prof", `--cpu-prof-dir=${folder}`];
}
