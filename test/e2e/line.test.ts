import t, { type Test } from "tap";
import { type MeshNode, makeMesh, pairs, startAll } from "./mesh.js";
import { type Edge, loopback, namespaces, type Place, whyNoNamespaces } from "./place.js";
import { stream } from "./stream.js";

/* A – B – C – D – E: every way is the only way. */

const NODE_COUNT = 5;
const EDGES: readonly Edge[] = [
  [0, 1],
  [1, 2],
  [2, 3],
  [3, 4],
];
const STREAM_BYTES = 200_000_000;

async function line(t: Test, place: Place): Promise<MeshNode[]> {
  return makeMesh(t, { nodeCount: NODE_COUNT, edges: EDGES, place, streaming: [0, 4] });
}

async function anyPairPingsAndTraces(t: Test, nodes: readonly MeshNode[]): Promise<void> {
  const startedMs = await startAll(nodes);
  const readyMs = performance.now() - startedMs;
  const pings = await Promise.all(pairs(nodes).map(([from, to]) => from.reach(to, 10_000)));
  const pingedMs = performance.now() - startedMs;
  for (const [i, [from, to]] of pairs(nodes).entries()) {
    t.equal(pings[i]!.hops, Math.abs(from.index - to.index), `${from.label} pings ${to.label}`);
    const { hops } = await from.trace(to);
    const step = Math.sign(to.index - from.index);
    const expected = hops.map((_, hop) => nodes[from.index + step * (hop + 1)]!.name);
    t.same(
      hops.map(({ name }) => name),
      expected,
      `${from.label} traces ${to.label}`,
    );
  }
  t.comment(`all ${pings.length} pairs pinged ${pingedMs.toFixed(0)} ms after the last start, all up after ${readyMs.toFixed(0)} ms`);
}

async function streamArrives(t: Test, nodes: readonly MeshNode[]): Promise<void> {
  const { sent, received } = await stream(nodes[0]!, nodes[4]!, STREAM_BYTES);
  t.equal(received.sizeBytes, STREAM_BYTES);
  t.equal(received.sha256, sent.sha256);
  const rate = received.sizeBytes / 1_000 / received.durationMs;
  t.comment(`200 MB through three relays in ${(received.durationMs / 1_000).toFixed(1)} s, ${rate.toFixed(1)} MB/s`);
}

t.test("five daemons in a line, over WebSockets on loopback", async (t) => {
  const nodes = await line(t, await loopback(NODE_COUNT));
  await t.test("any pair pings and traces by name", (t) => anyPairPingsAndTraces(t, nodes));
  await t.test("200 MB from A arrive at E through three relays", (t) => streamArrives(t, nodes));
});

const skip = whyNoNamespaces();
t.test("five daemons in a line, each in a network namespace", skip === undefined ? {} : { skip }, async (t) => {
  const nodes = await line(t, namespaces(t, NODE_COUNT, EDGES));
  await t.test("any pair pings and traces by name", (t) => anyPairPingsAndTraces(t, nodes));
  await t.test("200 MB from A arrive at E through three relays", (t) => streamArrives(t, nodes));
});
