import type { Random } from "./random.js";

/** Who is linked with whom: nodes are numbered from 0; of each pair the first dials. */
export interface Graph {
  readonly nodes: number;
  readonly edges: readonly (readonly [number, number])[];
  /** The one-way delay of each edge, in milliseconds; the same for all where it is not said. */
  readonly delaysMs?: readonly number[];
  /** The rate of each edge, in bytes per millisecond; the same for all where it is not said. */
  readonly bytesPerMs?: readonly number[];
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

/** Every node but the first hangs below another, each has up to `children`. */
export function tree(nodes: number, children = 2): Graph {
  const edges = Array.from({ length: nodes - 1 }, (_, i) => [i + 1, Math.floor(i / children)] as const);
  return { nodes, edges };
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

/** Links of a graph under way to be drawn: no pair twice, none with itself. */
export class EdgeSet {
  readonly edges: [number, number][] = [];
  readonly #linked = new Set<number>();

  constructor(private readonly nodes: number) {}

  /** False where the two are one, or linked already. */
  add(a: number, b: number): boolean {
    const name = Math.min(a, b) * this.nodes + Math.max(a, b);
    if (a === b || this.#linked.has(name)) return false;
    this.#linked.add(name);
    this.edges.push([a, b]);
    return true;
  }
}

/** A random tree, and `extra` random links more: connected, and no pair is linked twice. */
export function randomConnected(nodes: number, extra: number, random: Random): Graph {
  const drawn = new EdgeSet(nodes);
  const order = random.shuffled(Array.from({ length: nodes }, (_, i) => i));
  for (let i = 1; i < nodes; i++) drawn.add(order[i]!, order[random.below(i)]!);
  const room = (nodes * (nodes - 1)) / 2 - drawn.edges.length;
  for (let left = Math.min(extra, room); left > 0; ) if (drawn.add(random.below(nodes), random.below(nodes))) left--;
  return { nodes, edges: drawn.edges };
}

/** The same graph with a delay of its own for each edge, drawn evenly. */
export function withDelays(graph: Graph, minMs: number, maxMs: number, random: Random): Graph {
  return { ...graph, delaysMs: graph.edges.map(() => random.between(minMs, maxMs)) };
}

/** Each node's neighbours. */
export function neighboursOf({ nodes, edges }: Graph): number[][] {
  const neighbours: number[][] = Array.from({ length: nodes }, () => []);
  for (const [a, b] of edges) {
    neighbours[a]!.push(b);
    neighbours[b]!.push(a);
  }
  return neighbours;
}
