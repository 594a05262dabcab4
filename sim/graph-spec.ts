import { type Graph, grid, line, randomConnected, ring, tree, withDelays } from "./graphs.js";
import type { Random } from "./random.js";
import { asLike, geometric, scaleFree, smallWorld } from "./random-graphs.js";

/** The kinds of graphs that a scenario may name. */
export const GRAPH_KINDS = [
  "line",
  "ring",
  "grid",
  "tree",
  "random",
  "geometric",
  "scale-free",
  "small-world",
  "as-like",
] as const;
export type GraphKind = (typeof GRAPH_KINDS)[number];

export interface GraphSpec {
  readonly kind: GraphKind;
  readonly nodes: number;
  /** Links a node on average, where the kind leaves a choice. */
  readonly degree?: number;
  /** One-way delay of the links, drawn evenly from this range; a geometric graph has its own. */
  readonly delayMs?: readonly [min: number, max: number];
}

const DEGREE = 6;
const DELAY_MS = [5, 50] as const;

export function makeGraph(spec: GraphSpec, random: Random): Graph {
  const graph = shapeOf(spec, random);
  return graph.delaysMs === undefined ? withDelays(graph, ...(spec.delayMs ?? DELAY_MS), random) : graph;
}

function shapeOf({ kind, nodes, degree = DEGREE }: GraphSpec, random: Random): Graph {
  const each = Math.max(1, Math.floor(degree / 2));
  switch (kind) {
    case "line":
      return line(nodes);
    case "ring":
      return ring(nodes);
    case "grid": {
      const columns = Math.max(1, Math.floor(Math.sqrt(nodes)));
      return grid(columns, Math.max(1, Math.floor(nodes / columns)));
    }
    case "tree":
      return tree(nodes);
    case "random":
      return randomConnected(nodes, Math.floor((nodes * degree) / 2) - nodes + 1, random);
    case "geometric":
      return geometric(nodes, degree, random);
    case "scale-free":
      return scaleFree(nodes, each, random);
    case "small-world":
      return smallWorld(nodes, each, random);
    case "as-like":
      return asLike(nodes, random);
  }
}

/** Reads a graph from lines of two names and perhaps a delay in milliseconds; # begins a comment. Throws a RangeError with the line. */
export function parseEdgeList(text: string): Graph {
  const numbers = new Map<string, number>();
  const numberOf = (name: string) => {
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    return number;
  };
  const edges: [number, number][] = [];
  const delaysMs: number[] = [];
  const linked = new Set<string>();
  for (const [i, whole] of text.split("\n").entries()) {
    const words = whole
      .replace(/#.*/, "")
      .trim()
      .split(/[\s,]+/);
    if (words[0] === "") continue;
    const [from, to, delay = "10"] = words;
    const delayMs = Number(delay);
    if (to === undefined || words.length > 3 || !(delayMs >= 0))
      throw new RangeError(`line ${i + 1} is not two names and perhaps a delay: ${whole}`);
    const [a, b] = [numberOf(from!), numberOf(to)];
    const name = `${Math.min(a, b)}-${Math.max(a, b)}`;
    if (a === b || linked.has(name)) continue;
    linked.add(name);
    edges.push([a, b]);
    delaysMs.push(delayMs);
  }
  return { nodes: numbers.size, edges, delaysMs };
}
