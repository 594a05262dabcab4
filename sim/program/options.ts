import { InvalidArgumentError } from "commander";
import { drawSwarm, type Swarm } from "../fuzz.js";
import { Random } from "../random.js";

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

/** Parts of a swarm, as JSON; null is for what is not there. */
export function swarmChanges(text: string): Partial<Swarm> {
  const known = Object.keys(drawSwarm(new Random(0)));
  let changes: unknown;
  try {
    changes = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError("JSON, in quotes");
  }
  if (typeof changes !== "object" || changes === null || Object.keys(changes).some((name) => !known.includes(name)))
    throw new InvalidArgumentError(`an object with some of ${known.join(", ")}`);
  return Object.fromEntries(Object.entries(changes).map(([name, value]) => [name, value ?? undefined]));
}
