import type { Line, Outcome, Target } from "./benchmark.js";
import { median } from "./figures.js";

/** A line with what came of it. */
export interface Row extends Line {
  /** What the target is about: the median of the ratios, or of our samples; undefined where there are none. */
  readonly figure: number | undefined;
  readonly ours: readonly number[];
  readonly reference: readonly number[];
  readonly absent: string | undefined;
  readonly met: boolean | undefined;
}

export function rowOf(line: Line, outcome: Outcome): Row {
  if ("absent" in outcome) {
    return { ...line, figure: undefined, ours: [], reference: [], absent: outcome.absent, met: undefined };
  }
  const { ours, reference = [] } = outcome;
  const figure = median(reference.length === 0 ? ours : ours.map((value, round) => value / reference[round]!));
  return { ...line, figure, ours, reference, absent: undefined, met: meets(figure, line.target) };
}

function meets(figure: number, target: Target): boolean {
  return "atLeast" in target ? figure >= target.atLeast : figure <= target.atMost;
}

/** One line of the table: what, ours, its reference, ratio or value, target, verdict. */
export function formatRow({ name, what, unit, against, target, figure, ours, reference, absent, met }: Row): string {
  const head = `${name.padEnd(20)} ${what}`;
  const wanted = "atLeast" in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`;
  if (figure === undefined) return `${head}\n${" ".repeat(21)}not measured: ${absent} (target ${wanted})`;
  const samples = `${range(ours)} ${unit}`;
  const beside = against === undefined ? "" : `, ${against} ${range(reference)}`;
  const verdict = met ? "met" : "MISSED";
  const shown = against === undefined ? `${short(figure)} ${unit}` : `ratio ${figure.toFixed(2)}`;
  return `${head}\n${" ".repeat(21)}${samples}${beside}: ${shown}, target ${wanted}: ${verdict}`;
}

/** Median, and from the smallest to the largest. */
function range(values: readonly number[]): string {
  return `${short(median(values))} (${short(Math.min(...values))}–${short(Math.max(...values))})`;
}

function short(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}
