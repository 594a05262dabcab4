import type { Crypto } from "../../src/crypto/crypto.js";
import type { GraphKind, GraphSpec } from "../graph-spec.js";

/** A figure of ours beside its target. */
export interface Figure {
  readonly what: string;
  /** NaN where it was not reached. */
  readonly ours: number;
  readonly target: number;
  readonly unit: string;
  /** True where more is better. */
  readonly atLeast?: boolean;
  /** What one needs to see it again, where it says something. */
  readonly note?: string;
}

/** What a row is run with. All but `crypto` depend on the machine. */
export interface Machine {
  readonly crypto: Crypto;
  /** CPU time of this process: on a busy machine the clock on the wall says little. */
  cpuMs(): number;
  memoryBytes(): number;
  /** Collects garbage, and gives the bytes of objects and array buffers that are left. */
  heapBytes(): number;
}

/** One question of the table, on one graph. */
export interface Row {
  /** What `--row` names. */
  readonly name: string;
  readonly question: string;
  /** Only the full table has it. */
  readonly isLarge?: boolean;
  /** It measures CPU time: no other row runs beside it. */
  readonly isTimed?: boolean;
  /** It is the same for every seed: one is enough. */
  readonly isSeedless?: boolean;
  run(seed: number, machine: Machine): Figure[];
}

export function isMet({ ours, target, atLeast = false }: Figure): boolean {
  return atLeast ? ours >= target : ours <= target;
}

/** True where every figure meets its target. */
export const areMet = (figures: readonly Figure[]): boolean => figures.every(isMet);

/** The nodes of a row, but for the larger ones. */
export const NODES = 1_000;

/** The graphs of the table, by their letters. S has the targets of A. */
const GRAPHS = {
  R: "random",
  A: "as-like",
  S: "scale-free",
  W: "small-world",
  G: "grid",
  M: "geometric",
} as const satisfies Readonly<Record<string, GraphKind>>;
export type Letter = keyof typeof GRAPHS;

export const graphOf = (letter: Letter, nodes: number): GraphSpec => ({ kind: GRAPHS[letter], nodes });

/** A row for each of the letters. */
export const each = (letters: string, make: (letter: Letter) => Row): Row[] =>
  [...letters].map((l) => make(l as Letter));

/** The target for a letter: that of the first group of letters which has it. */
export function targetOf(letter: Letter, targets: Readonly<Record<string, number>>): number {
  return Object.entries(targets).find(([letters]) => letters.includes(letter))![1];
}

/** Relays that die at a time: 10 of a thousand. */
export const relaysOf = (nodes: number): number => Math.ceil(nodes / 100);

/** 1000 as 1,000. */
export const count = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The value that so large a share of all do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
