import { InvalidArgumentError } from "commander";

/** `7` or `1..100`. */
export function seedRange(text: string): number[] {
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || last < first || last - first > 10_000_000)
    throw new InvalidArgumentError("a number, or a range as 1..100");
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** A whole number that is not negative. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("a whole number");
  return Number(text);
}
