import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Command } from "commander";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { CONTACT_MS } from "../contacts.js";
import { type Figure, isMet, type Row } from "../prove-row.js";
import { areMet, proveRows } from "../prove-rows.js";
import { ExitCode } from "./exit-codes.js";
import { Progress } from "./progress.js";

const CONTACT_RULE = `A first contact succeeds when the reply is there within ${CONTACT_MS / 1_000} s beyond the least round trip that the links allow.`;

interface Options {
  readonly row?: string;
  readonly full?: boolean;
  readonly resume?: string;
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
    .option("--resume <file>", "keep each result there, and take those that are there")
    .action(({ row = "", full = false, resume }: Options) => {
      const rows = proveRows(cpuMs, () => process.memoryUsage().rss).filter(
        ({ name, isLarge = false }) => name.startsWith(row) && (full || row === name || !isLarge),
      );
      const seeds = full ? [1, 2, 3] : [1];
      const kept = resume !== undefined && existsSync(resume) ? readDone(resume) : [];
      const progress = new Progress(rows.length * seeds.length, "rows");
      let isAllMet = true;
      for (const one of rows) {
        const results = seeds.map((seed) => {
          const figures =
            kept.find((done) => done.row === one.name && done.seed === seed)?.figures ?? measure(one, seed, resume);
          progress.step();
          return figures;
        });
        for (const line of linesOf(one, results)) console.log(line);
        isAllMet &&= results.every(areMet);
      }
      progress.end();
      console.log(CONTACT_RULE);
      process.exitCode = isAllMet ? ExitCode.OK : ExitCode.MISSED;
    });
}

/** Of this process: on a busy machine the clock on the wall says little. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function measure(row: Row, seed: number, resume: string | undefined): readonly Figure[] {
  const figures = row.run(seed, nativeCrypto());
  const done: Done = { row: row.name, seed, figures };
  if (resume !== undefined) appendFileSync(resume, `${JSON.stringify(done)}\n`);
  return figures;
}

function readDone(file: string): Done[] {
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  // NaN is null in JSON.
  return lines.map(
    (line) => JSON.parse(line, (key, value) => (key === "ours" && value === null ? Number.NaN : value)) as Done,
  );
}

/** A line a figure: the worst seed, beside the mean where there are several. */
function linesOf({ name, question }: Row, results: readonly (readonly Figure[])[]): string[] {
  return results[0]!.map(({ what, target, unit, atLeast = false }, i) => {
    const figures = results.map((result) => result[i]!);
    const values = figures.map(({ ours }) => ours);
    const worst = atLeast ? Math.min(...values) : Math.max(...values);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const others = values.length > 1 ? ` (mean ${number(mean)})` : "";
    const verdict = figures.every(isMet) ? "met " : "MISS";
    const ours = `${number(worst)} ${unit}${others}`.padEnd(12);
    return (
      `${verdict} ${name.padEnd(18)} ${what.padEnd(16)} ${ours} ${atLeast ? "≥" : "≤"} ${number(target)} ${unit}`.padEnd(
        76,
      ) + question
    );
  });
}

function number(value: number): string {
  return Number.isNaN(value) ? "never" : String(Math.round(value * 100) / 100);
}
