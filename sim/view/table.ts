import { type Figure, isMet, type Row } from "../prove/row.js";

/** A figure over the seeds of its row: the worst, and the mean. */
export interface Result extends Figure {
  readonly mean: number;
  readonly isMet: boolean;
}

/** The figures of a row over its seeds. */
export function resultsOf(seeds: readonly (readonly Figure[])[]): Result[] {
  return seeds[0]!.map((first, i) => {
    const figures = seeds.map((figures) => figures[i]!);
    const values = figures.map(({ ours }) => ours);
    // Where one was not reached, that is the worst.
    const ours = first.atLeast === true ? Math.min(...values) : Math.max(...values);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return { ...first, ours, mean, note: figures.find(({ note }) => note)?.note ?? "", isMet: figures.every(isMet) };
  });
}

/** The lines of a row, one a figure; `seeds` above one shows the mean too. At most 120 columns, but for notes. */
export function rowLines({ name }: Row, results: readonly Result[], seeds: number): string[] {
  return results.map(({ what, ours, mean, target, unit, atLeast = false, note, isMet }) => {
    const means = seeds > 1 ? `  mean ${number(mean)}` : "";
    const columns = [
      isMet ? "  met " : "  MISS",
      name.padEnd(16),
      what.padEnd(27),
      `${number(ours)} ${unit}`.padStart(13),
      `  ${atLeast ? "≥" : "≤"} ${number(target)} ${unit}`.padEnd(14),
      means.padEnd(14),
      note,
    ];
    return columns.join(" ").trimEnd();
  });
}

function number(value: number): string {
  return Number.isFinite(value) ? String(Math.round(value * 1_000) / 1_000) : "never";
}
