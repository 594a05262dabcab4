import { type FuzzResult, fuzz } from "../fuzz.js";
import type { Figure, Row } from "./row.js";

const SEEDS = 1_000;
const SEEDS_EACH = 125;
/** The rows that the short table has. */
const SHORT = 2;

/** Checkers of frames that go in circles, and of frames that come to the wrong place. */
const LOOPS: readonly string[] = ["loops", "circles"];
const DELIVERIES: readonly string[] = ["delivery"];

/** The seeds whose checkers of one kind found something. */
function figure(what: string, results: readonly FuzzResult[], isOfKind: (checker: string) => boolean): Figure {
  const failed = results.filter((result) => result.failed.some(isOfKind)).map(({ seed }) => seed);
  const note = failed.length === 0 ? "" : `again: npm run sim -- fuzz --seeds ${failed[0]}`;
  return { what: `seeds with ${what}`, ours: failed.length, target: 0, unit: "", note };
}

function fuzzRow(first: number, last: number, isLarge: boolean): Row {
  const isOther = (checker: string) => !LOOPS.includes(checker) && !DELIVERIES.includes(checker);
  return {
    name: `fuzz-${first}..${last}`,
    question: "fuzz seeds, small networks that fail in every way: seeds on which a rule is broken",
    isLarge,
    isSeedless: true,
    run(_seed, { crypto }): Figure[] {
      const results: FuzzResult[] = [];
      for (let seed = first; seed <= last; seed++) results.push(fuzz(seed, crypto));
      return [
        figure("loops", results, (checker) => LOOPS.includes(checker)),
        figure("wrong deliveries", results, (checker) => DELIVERIES.includes(checker)),
        figure("other rules broken", results, isOther),
      ];
    },
  };
}

/** A thousand seeds, so many a row; the short table has the first of them. */
export function fuzzRows(): Row[] {
  return Array.from({ length: SEEDS / SEEDS_EACH }, (_, i) =>
    fuzzRow(i * SEEDS_EACH + 1, (i + 1) * SEEDS_EACH, i >= SHORT),
  );
}
