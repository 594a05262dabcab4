/** Links as pairs of member numbers. */
export interface Graph {
  readonly count: number;
  readonly links: readonly (readonly [number, number])[];
}

/** A whole number from 0 to `below` − 1. */
export type Random = (below: number) => number;

/** xorshift32. */
export function seeded(seed: number): Random {
  let state = Math.imul(seed, 2_654_435_761) || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export const line = (count: number): Graph => ({
  count,
  links: Array.from({ length: count - 1 }, (_, i) => [i, i + 1] as const),
});

export const ring = (count: number): Graph => ({ count, links: [...line(count).links, [count - 1, 0]] });

/** Every member is linked to the first. */
export const star = (count: number): Graph => ({
  count,
  links: Array.from({ length: count - 1 }, (_, i) => [0, i + 1] as const),
});

export function grid(width: number, height: number): Graph {
  const links: [number, number][] = [];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      if (x > 0) links.push([y * width + x - 1, y * width + x]);
      if (y > 0) links.push([(y - 1) * width + x, y * width + x]);
    }
  return { count: width * height, links };
}

/** A random tree and `extra` more links. */
export function randomGraph(count: number, extra: number, random: Random): Graph {
  const links: [number, number][] = [];
  const linked = new Set<number>();
  const link = (a: number, b: number): boolean => {
    const name = Math.min(a, b) * count + Math.max(a, b);
    if (a === b || linked.has(name)) return false;
    linked.add(name);
    links.push([a, b]);
    return true;
  };
  for (let i = 1; i < count; i++) link(random(i), i);
  const most = Math.min(links.length + extra, (count * (count - 1)) / 2);
  while (links.length < most) link(random(count), random(count));
  return { count, links };
}
