import fc from "fast-check";
import t from "tap";
import { type Graph, grid, line, randomConnected, ring, ringWithChord } from "../../sim/graphs.js";
import { Random } from "../../sim/random.js";

function isConnected({ nodes, edges }: Graph): boolean {
  const reached = new Set([0]);
  for (const at of reached) {
    for (const [a, b] of edges) {
      if (a === at) reached.add(b);
      if (b === at) reached.add(a);
    }
  }
  return reached.size === nodes;
}

const isSimple = ({ edges }: Graph) =>
  new Set(edges.map(([a, b]) => [a, b].sort().join())).size === edges.length && edges.every(([a, b]) => a !== b);

t.test("each graph has its links, is connected, and links no pair twice", async (t) => {
  for (const [graph, nodes, edges] of [
    [line(5), 5, 4],
    [ring(5), 5, 5],
    [ringWithChord(6), 6, 7],
    [grid(4, 3), 12, 17],
  ] as const) {
    t.equal(graph.nodes, nodes);
    t.equal(graph.edges.length, edges);
    t.ok(isConnected(graph) && isSimple(graph));
  }
});

t.test("a random graph is connected, simple, as large as asked for, and the same for the same seed", async () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 2, max: 40 }), fc.integer({ min: 0, max: 60 }), (seed, nodes, extra) => {
      const graph = randomConnected(nodes, extra, new Random(seed));
      const again = randomConnected(nodes, extra, new Random(seed));
      const most = (nodes * (nodes - 1)) / 2;
      return (
        isConnected(graph) &&
        isSimple(graph) &&
        graph.edges.length === Math.min(nodes - 1 + extra, most) &&
        JSON.stringify(graph) === JSON.stringify(again)
      );
    }),
  );
});
