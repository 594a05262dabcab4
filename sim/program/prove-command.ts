import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Command } from "commander";
import { type Figure, NODES, type Row } from "../prove/row.js";
import { proveRows } from "../prove/table.js";
import { ExitCode } from "./exit-codes.js";
import { wholeNumber } from "./options.js";
import { Progress } from "./progress.js";
import { type Job, runJobs } from "./prove-jobs.js";
import { ProveTable } from "./prove-table.js";

const WORKERS = Math.min(2, availableParallelism());

interface Options {
  readonly row?: string;
  readonly full?: boolean;
  readonly nodes: number;
  readonly workers: number;
  readonly resume?: string;
  readonly json?: boolean;
}

/** One row on one seed, as a line of the file that `--resume` names. */
interface Done {
  readonly row: string;
  readonly seed: number;
  readonly figures: readonly Figure[];
}

export function addProve(program: Command): void {
  program
    .command("prove")
    .description("measure what routing must show, ours beside the target")
    .option("--row <name>", "only rows whose name begins so")
    .option("--full", "three seeds, and the larger rows")
    .option("--nodes <N>", "another size of the networks", wholeNumber, NODES)
    .option("--workers <N>", "rows that run at a time, each in a process of its own", wholeNumber, WORKERS)
    .option("--resume <file>", "keep each result there, and take those that are there")
    .option("--json", "one line of JSON for each row")
    .action(async (options: Options) => {
      process.exitCode = await prove(options);
    });
}

async function prove({ row = "", full = false, nodes, workers, resume, json }: Options): Promise<ExitCode> {
  const rows = proveRows(nodes).filter(
    ({ name, isLarge = false }) => name.startsWith(row) && (full || row === name || !isLarge),
  );
  if (rows.length === 0) {
    console.error(`no row's name begins with ${row}`);
    return ExitCode.USAGE;
  }
  const seedsOf = ({ isSeedless = false }: Row) => (full && !isSeedless ? [1, 2, 3] : [1]);
  const table = new ProveTable(rows, seedsOf, json === true);
  for (const { row, seed, figures } of resume === undefined ? [] : readDone(resume)) table.add(row, seed, { figures });
  const left = rows
    .flatMap((row) => seedsOf(row).map((seed) => ({ row, seed })))
    .filter(({ row, seed }) => !table.has(row.name, seed));
  const progress = new Progress(left.length, "runs");
  // The rows that run end with the program.
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(ExitCode.CRASH));
  await runJobs(left, nodes, workers, (job, outcome) => {
    if (resume !== undefined && "figures" in outcome) keep(resume, job, outcome.figures);
    progress.step();
    table.add(job.row.name, job.seed, outcome);
  });
  progress.end();
  return table.end();
}

function keep(file: string, { row, seed }: Job, figures: readonly Figure[]): void {
  const done: Done = { row: row.name, seed, figures };
  appendFileSync(file, `${JSON.stringify(done)}\n`);
}

function readDone(file: string): Done[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  // NaN is null in JSON.
  return lines.map(
    (line) => JSON.parse(line, (key, value) => (key === "ours" && value === null ? Number.NaN : value)) as Done,
  );
}
