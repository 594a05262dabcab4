import { CONTACT_MS } from "../contacts.js";
import type { Row } from "../prove/row.js";
import { resultsOf, rowLines } from "../view/table.js";
import { ExitCode } from "./exit-codes.js";
import type { Outcome } from "./prove-jobs.js";

const FOOTNOTE =
  `R random, A AS-like, S scale-free, W small world, G grid, M geometric graph. A first contact succeeds when the\n` +
  `reply is there within ${CONTACT_MS / 1_000} s beyond the least round trip that the links allow.`;

/** Rows as they come, shown in their order. */
export class ProveTable {
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

  /** Shows the sum; call it when all have come. */
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
