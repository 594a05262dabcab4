import { EdgeSet, type Graph } from "./graphs.js";
import type { Random } from "./random.js";

/*
 * Graphs that look like networks. Each is connected, and the same for the same generator; `random` alone decides.
 */

/** Preferential attachment (Barabási and Albert, 1999): each newcomer links to `links` nodes, the more likely the more links they have. */
export function scaleFree(nodes: number, links: number, random: Random): Graph {
  const drawn = new EdgeSet(nodes);
  /** Each node as often as it has links. */
  const ends: number[] = [0];
  for (let node = 1; node < nodes; node++) {
    const wanted = Math.min(links, node);
    for (let made = 0; made < wanted; ) {
      const other = random.pick(ends);
      if (!drawn.add(node, other)) continue;
      made++;
      ends.push(other);
    }
    for (let i = 0; i < wanted; i++) ends.push(node);
  }
  return { nodes, edges: drawn.edges };
}

/** A ring with links to the next `reach` nodes, of which the longer ones lead elsewhere in one of ten cases (Watts and Strogatz, 1998). */
export function smallWorld(nodes: number, reach: number, random: Random): Graph {
  const drawn = new EdgeSet(nodes);
  for (let node = 0; node < nodes; node++) drawn.add(node, (node + 1) % nodes);
  for (let node = 0; node < nodes; node++)
    for (let step = 2; step <= reach; step++) {
      const isFar = random.chance(1, 10);
      if (!drawn.add(node, isFar ? random.below(nodes) : (node + step) % nodes)) drawn.add(node, random.below(nodes));
    }
  return { nodes, edges: drawn.edges };
}

/**
 * The shape of the Internet's networks: a fully linked core, carriers with two or three providers above them and some links among each
 * other, and the many with one or two providers, which are the larger the more have chosen them.
 */
export function asLike(nodes: number, random: Random): Graph {
  const drawn = new EdgeSet(nodes);
  const core = Math.max(3, Math.min(12, Math.floor(nodes / 50)));
  const carriers = core + Math.floor(nodes / 7);
  const providers: number[] = [];
  for (let a = 0; a < Math.min(core, nodes); a++) {
    for (let b = 0; b < a; b++) drawn.add(a, b);
    providers.push(a, a, a);
  }
  const choose = (node: number) => {
    const provider = random.pick(providers);
    if (drawn.add(node, provider)) providers.push(provider);
  };
  for (let node = core; node < nodes; node++) {
    const isCarrier = node < carriers;
    for (let left = isCarrier ? random.between(2, 3) : random.between(1, 2); left > 0; left--) choose(node);
    if (!isCarrier) continue;
    if (node > core && random.chance(1, 2)) drawn.add(node, core + random.below(node - core));
    providers.push(node);
  }
  return { nodes, edges: drawn.edges };
}

/** Delay of a link that is as long as the links of a geometric graph get, and of one of no length. */
const FAR_MS = 45;
const NEAR_MS = 5;

/**
 * Nodes at random places of a square, linked where they are near each other, `degree` links each on average; parts that hang on
 * nothing are linked to the nearest other part. The delay grows with the distance.
 */
export function geometric(nodes: number, degree: number, random: Random): Graph {
  const at = Array.from({ length: nodes }, () => [random.uint32() / 2 ** 32, random.uint32() / 2 ** 32] as const);
  const range = Math.sqrt(degree / (Math.PI * nodes));
  const distance = (a: number, b: number) => {
    const [dx, dy] = [at[a]![0] - at[b]![0], at[a]![1] - at[b]![1]];
    return Math.sqrt(dx * dx + dy * dy);
  };
  const drawn = new EdgeSet(nodes);
  for (const [a, b] of pairsWithin(at, range)) if (distance(a, b) <= range) drawn.add(a, b);
  for (const [a, b] of bridges(nodes, drawn.edges, distance)) drawn.add(a, b);
  const delaysMs = drawn.edges.map(([a, b]) => NEAR_MS + Math.floor((FAR_MS * distance(a, b)) / range));
  return { nodes, edges: drawn.edges, delaysMs };
}

/** Pairs in the same or in adjoining squares of side `range`: all that are no farther apart, and some that are. */
function* pairsWithin(at: readonly (readonly [number, number])[], range: number): Iterable<[number, number]> {
  const squares = new Map<string, number[]>();
  const squareOf = (node: number) => at[node]!.map((x) => Math.floor(x / range)) as [number, number];
  for (let node = 0; node < at.length; node++) {
    const name = squareOf(node).join();
    squares.set(name, [...(squares.get(name) ?? []), node]);
  }
  for (let node = 0; node < at.length; node++) {
    const [column, row] = squareOf(node);
    for (let dx = -1; dx <= 1; dx++)
      for (let dy = -1; dy <= 1; dy++)
        for (const other of squares.get([column + dx, row + dy].join()) ?? []) if (node < other) yield [node, other];
  }
}

/** Links that join the parts of a graph: from each smaller part the shortest to what has been joined, the largest part first. */
function* bridges(
  nodes: number,
  edges: readonly [number, number][],
  distance: (a: number, b: number) => number,
): Iterable<[number, number]> {
  const [largest, ...rest] = partsOf(nodes, edges).sort((a, b) => b.length - a.length);
  const joined = [...(largest ?? [])];
  for (const part of rest) {
    let best: [number, number] | undefined;
    for (const a of part)
      for (const b of joined) if (best === undefined || distance(a, b) < distance(...best)) best = [a, b];
    yield best!;
    joined.push(...part);
  }
}

/** The nodes of each connected part. */
export function partsOf(nodes: number, edges: Iterable<readonly [number, number, ...unknown[]]>): number[][] {
  const parent = Array.from({ length: nodes }, (_, i) => i);
  const top = (node: number): number => {
    let at = node;
    while (parent[at] !== at) at = parent[at] = parent[parent[at]!]!;
    return at;
  };
  for (const [a, b] of edges) parent[top(a)] = top(b);
  const parts = new Map<number, number[]>();
  for (let node = 0; node < nodes; node++) {
    const name = top(node);
    const part = parts.get(name);
    if (part === undefined) parts.set(name, [node]);
    else part.push(node);
  }
  return [...parts.values()];
}
