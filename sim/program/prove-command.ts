import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Command } from "commander";
import { CONTACT_MS } from "../contacts.js";
import { type Figure, NODES, type Row } from "../prove/row.js";
import { proveRows } from "../prove/table.js";
import { resultsOf, rowLines } from "../view/table.js";
import { ExitCode } from "./exit-codes.js";
import { wholeNumber } from "./options.js";
import { Progress } from "./progress.js";
import { type Job, type Outcome, runJobs } from "./prove-jobs.js";

const WORKERS = Math.min(2, availableParallelism());
const FOOTNOTE =
  `R random, A AS-like, S scale-free, W small world, G grid, M geometric graph. A first contact succeeds when the\n` +
  `reply is there within ${CONTACT_MS / 1_000} s beyond the least round trip that the links allow.`;

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
  const seedsOf = ({ isSeedless = false }: Row) => (full && !isSeedless ? [1, 2, 3] : [1]);
  const table = new Table(rows, seedsOf, json === true);
  for (const { row, seed, figures } of resume === undefined ? [] : readDone(resume)) table.add(row, seed, { figures });
  const jobs = rows.flatMap((row) => seedsOf(row).map((seed) => ({ row, seed })));
  const left = jobs.filter(({ row, seed }) => !table.has(row.name, seed));
  const progress = new Progress(left.length, "runs");
  endWith("SIGINT", "SIGTERM");
  await runJobs(left, nodes, workers, (job, outcome) => {
    if (resume !== undefined && "figures" in outcome) keep(resume, job, outcome.figures);
    progress.step();
    table.add(job.row.name, job.seed, outcome);
  });
  progress.end();
  return table.end();
}

/** Rows as they come, shown in their order. */
class Table {
  readonly #outcomes = new Map<string, Outcome>();
  #shown = 0;
  #met = 0;
  #figures = 0;
  #crashes = 0;

  constructor(
    private readonly rows: readonly Row[],
    private readonly seedsOf: (row: Row) => readonly number[],
    private readonly isJson: boolean,
  ) {}

  has(row: string, seed: number): boolean {
    return this.#outcomes.has(`${row} ${seed}`);
  }

  add(row: string, seed: number, outcome: Outcome): void {
    this.#outcomes.set(`${row} ${seed}`, outcome);
    this.#show();
  }

  end(): ExitCode {
    this.#show();
    if (this.isJson) console.log(JSON.stringify({ met: this.#met, of: this.#figures, crashes: this.#crashes }));
    else console.log(`\n${FOOTNOTE}\n${this.#met} of ${this.#figures} met`);
    if (this.#crashes > 0) return ExitCode.CRASH;
    return this.#met < this.#figures ? ExitCode.MISSED : ExitCode.OK;
  }

  #show(): void {
    for (let row = this.rows[this.#shown]; row !== undefined; row = this.rows[++this.#shown]) {
      const { name } = row;
      const seeds = this.seedsOf(row);
      if (!seeds.every((seed) => this.has(name, seed))) return;
      const outcomes = seeds.map((seed) => this.#outcomes.get(`${name} ${seed}`)!);
      if (!this.isJson && row.question !== this.rows[this.#shown - 1]?.question) console.log(`\n${row.question}`);
      this.#showRow(row, outcomes);
    }
  }

  #showRow(row: Row, outcomes: readonly Outcome[]): void {
    const { name, question } = row;
    const crash = outcomes.find((outcome) => "crash" in outcome)?.crash;
    if (crash !== undefined) {
      this.#crashes++;
      this.#figures++;
      console.log(this.isJson ? JSON.stringify({ row: name, question, crash }) : `  MISS ${name} crashed: ${crash}`);
      return;
    }
    const seeds = outcomes.map((outcome) => ("figures" in outcome ? outcome.figures : []));
    const results = resultsOf(seeds);
    this.#figures += results.length;
    this.#met += results.filter(({ isMet }) => isMet).length;
    if (this.isJson) console.log(JSON.stringify({ row: name, question, seeds: seeds.length, figures: results }));
    else for (const line of rowLines(row, results, seeds.length)) console.log(line);
  }
}

/** What was begun is ended with the program. */
function endWith(...signals: readonly NodeJS.Signals[]): void {
  for (const signal of signals) process.once(signal, () => process.exit(ExitCode.CRASH));
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
