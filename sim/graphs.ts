import type { Random } from "./random.js";

/** Who is linked with whom: nodes are numbered from 0; of each pair the first dials. */
export interface Graph {
  readonly nodes: number;
  readonly edges: readonly (readonly [number, number])[];
}

export function line(nodes: number): Graph {
  return { nodes, edges: Array.from({ length: nodes - 1 }, (_, i) => [i, i + 1] as const) };
}

export function ring(nodes: number): Graph {
  return { nodes, edges: [...line(nodes).edges, [nodes - 1, 0]] };
}

/** A ring, and one link across it from node 0. */
export function ringWithChord(nodes: number): Graph {
  return { nodes, edges: [...ring(nodes).edges, [0, Math.floor(nodes / 2)]] };
}

export function grid(columns: number, rows: number): Graph {
  const edges: [number, number][] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const node = row * columns + column;
      if (column + 1 < columns) edges.push([node, node + 1]);
      if (row + 1 < rows) edges.push([node, node + columns]);
    }
  }
  return { nodes: columns * rows, edges };
}

/** A random tree, and `extra` random links more: connected, and no pair is linked twice. */
export function randomConnected(nodes: number, extra: number, random: Random): Graph {
  const edges: [number, number][] = [];
  const linked = new Set<number>();
  const link = (a: number, b: number): boolean => {
    const name = Math.min(a, b) * nodes + Math.max(a, b);
    if (a === b || linked.has(name)) return false;
    linked.add(name);
    edges.push([a, b]);
    return true;
  };
  const order = random.shuffled(Array.from({ length: nodes }, (_, i) => i));
  for (let i = 1; i < nodes; i++) link(order[i]!, order[random.below(i)]!);
  const room = (nodes * (nodes - 1)) / 2 - edges.length;
  for (let left = Math.min(extra, room); left > 0; ) if (link(random.below(nodes), random.below(nodes))) left--;
  return { nodes, edges };
}
