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

/** Points of a square, each linked to those nearest to it, `degree` links a member on average; and what joins the parts. */
export function geometricGraph(count: number, degree: number, random: Random): Graph {
  const side = 1_000_000;
  const points = Array.from({ length: count }, () => [random(side), random(side)] as const);
  const pairs: { a: number; b: number; far: number }[] = [];
  for (let a = 0; a < count; a++)
    for (let b = a + 1; b < count; b++) {
      const [dx, dy] = [points[a]![0] - points[b]![0], points[a]![1] - points[b]![1]];
      pairs.push({ a, b, far: dx * dx + dy * dy });
    }
  pairs.sort((x, y) => x.far - y.far);
  const part = Array.from({ length: count }, (_, i) => i);
  const partOf = (i: number): number => (part[i] === i ? i : (part[i] = partOf(part[i]!)));
  const links: [number, number][] = [];
  for (const { a, b } of pairs) {
    const isNear = links.length < (count * degree) / 2;
    if (!isNear && partOf(a) === partOf(b)) continue;
    links.push([a, b]);
    part[partOf(a)] = partOf(b);
  }
  return { count, links };
}
