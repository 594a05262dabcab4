import fc from "fast-check";
import t from "tap";
import { GRAPH_KINDS, makeGraph, parseEdgeList } from "../../sim/graph-spec.js";
import { type Graph, grid, line, neighboursOf, randomConnected, ring, ringWithChord } from "../../sim/graphs.js";
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

t.test(
  "every kind of graph is connected and simple, with a delay for each link, and the same for the same seed",
  async (t) => {
    for (const kind of GRAPH_KINDS)
      for (const nodes of [4, 25, 200]) {
        const graph = makeGraph({ kind, nodes }, new Random(nodes));
        t.ok(isConnected(graph) && isSimple(graph), `${kind} of ${nodes}`);
        t.equal(graph.delaysMs!.length, graph.edges.length);
        t.same(makeGraph({ kind, nodes }, new Random(nodes)), graph);
      }
  },
);

t.test("a scale-free and an AS-like graph have hubs, a random one has not", async (t) => {
  const largest = (kind: (typeof GRAPH_KINDS)[number]) =>
    Math.max(...neighboursOf(makeGraph({ kind, nodes: 500 }, new Random(1))).map(({ length }) => length));
  t.ok(largest("random") < 25);
  t.ok(largest("scale-free") > 40 && largest("as-like") > 40);
});

t.test(
  "an edge list names nodes as it likes; a link that comes twice counts once, and a line that is none is said",
  async (t) => {
    t.same(parseEdgeList("# two\nx y 5\ny,z\ny x 9\n\n"), {
      nodes: 3,
      edges: [
        [0, 1],
        [1, 2],
      ],
      delaysMs: [5, 10],
    });
    t.throws(() => parseEdgeList("a b\nc\n"), { message: /line 2/ });
    t.throws(() => parseEdgeList("a b soon\n"), { message: /line 1/ });
  },
);
