import type { Test } from "tap";
import { type MeshNode, makeMesh, pairs, startAll } from "./mesh.js";
import { type Edge, isEdge, type Place } from "./place.js";
import { stream } from "./stream.js";

/* What five daemons must do, wherever they run. Times are printed; what is asserted is that it comes about. */

const NODE_COUNT = 5;
/** A – B – C – D – E: every way is the only way. */
const LINE: readonly Edge[] = [
  [0, 1],
  [1, 2],
  [2, 3],
  [3, 4],
];
/** The line closed to a ring, and B – D across it: whichever node goes, the others stay connected. */
const RING_WITH_CHORD: readonly Edge[] = [...LINE, [4, 0], [1, 3]];

const STREAM_BYTES = 200_000_000;
/** Where a relay is killed in mid-stream. */
const KILL_AT_BYTES = 20_000_000;
/** No answer after so long means that none comes: three times what a search may take. */
const REACH_MS = 15_000;

/** Gone at once, or silent while its links stay open. */
type Signal = "SIGKILL" | "SIGSTOP";

/** Makes a place for a mesh of these edges; it goes with the test. */
export type MakePlace = (t: Test, nodeCount: number, edges: readonly Edge[]) => Promise<Place>;

export function meshScenarios(t: Test, makePlace: MakePlace): void {
  t.test("in a line any pair pings and traces by name, and 200 MB pass three relays", async (t) => {
    const place = await makePlace(t, NODE_COUNT, LINE);
    const nodes = await makeMesh(t, { nodeCount: NODE_COUNT, edges: LINE, place, streaming: [0, 4] });
    await anyPairPingsAndTraces(t, nodes, LINE);
    const { sent, received } = await stream(nodes[0]!, nodes[4]!, STREAM_BYTES);
    t.equal(received.sizeBytes, STREAM_BYTES);
    t.equal(received.sha256, sent.sha256);
    const megabytesPerS = received.sizeBytes / 1_000 / received.durationMs;
    t.comment(`200 MB in ${seconds(received.durationMs)}, ${megabytesPerS.toFixed(1)} MB/s`);
  });

  for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
    t.test(`in a ring with a chord ${signal} to a relay in mid-stream costs a pause and no byte`, async (t) => {
      const place = await makePlace(t, NODE_COUNT, RING_WITH_CHORD);
      const nodes = await makeMesh(t, { nodeCount: NODE_COUNT, edges: RING_WITH_CHORD, place, streaming: [0, 3] });
      await anyPairPingsAndTraces(t, nodes, RING_WITH_CHORD);
      await relayGoes(t, nodes, signal);
    });

    t.test(`first contacts go on when the best root gets ${signal}`, async (t) => {
      const place = await makePlace(t, NODE_COUNT, RING_WITH_CHORD);
      const nodes = await makeMesh(t, { nodeCount: NODE_COUNT, edges: RING_WITH_CHORD, place });
      await startAll(nodes);
      await rootGoes(t, nodes, signal);
    });
  }
}

async function anyPairPingsAndTraces(t: Test, nodes: readonly MeshNode[], edges: readonly Edge[]): Promise<void> {
  const startedMs = await startAll(nodes);
  await Promise.all(pairs(nodes).map(([from, to]) => from.reach(to, REACH_MS)));
  t.comment(`all pairs had pinged ${seconds(performance.now() - startedMs)} after the last start`);
  for (const [from, to] of pairs(nodes)) {
    const route = await tracedRoute(nodes, from, to);
    const isWay = route.every((node, hop) => isEdge(edges, hop === 0 ? from.index : route[hop - 1]!.index, node.index));
    t.ok(isWay && route.at(-1) === to, `${from.label} to ${to.label} by way of ${labels(route)}`);
    t.equal((await from.ping(to)).hops, route.length);
  }
}

/** The nodes that a trace names, the target last. */
async function tracedRoute(nodes: readonly MeshNode[], from: MeshNode, to: MeshNode): Promise<MeshNode[]> {
  const { hops } = await from.trace(to);
  return hops.map(({ name }) => nodes.find((node) => node.name === name)!);
}

async function relayGoes(t: Test, nodes: readonly MeshNode[], signal: Signal): Promise<void> {
  const [from, to] = [nodes[0]!, nodes[3]!];
  const relay = (await tracedRoute(nodes, from, to))[0]!;
  t.not(relay, to, "there is a relay on the way");
  let isGone = false;
  const { sent, received } = await stream(from, to, STREAM_BYTES, (receivedBytes) => {
    if (isGone || receivedBytes < KILL_AT_BYTES) return;
    isGone = true;
    relay.process!.kill(signal);
  });
  t.ok(isGone, "it went in mid-stream");
  t.equal(received.sizeBytes, STREAM_BYTES);
  t.equal(received.sha256, sent.sha256);
  const route = await tracedRoute(nodes, from, to);
  t.notOk(route.includes(relay), `the way was by ${relay.label}, and is by ${labels(route)} now`);
  t.comment(`longest pause ${seconds(received.pauseMs)}, 200 MB in ${seconds(received.durationMs)}`);
}

async function rootGoes(t: Test, nodes: readonly MeshNode[], signal: Signal): Promise<void> {
  const root = await agreedRoot(nodes);
  root.process!.kill(signal);
  const rest = nodes.filter((node) => node !== root);
  const startedMs = performance.now();
  const times = pairs(rest).map(async ([from, to]) => {
    await from.reach(to, REACH_MS);
    return performance.now() - startedMs;
  });
  const slowestMs = Math.max(...(await Promise.all(times)));
  t.pass("every first contact came about");
  t.comment(`${root.label} was root; the slowest of ${times.length} first contacts took ${seconds(slowestMs)}`);
}

/** The root of the first tree, once all nodes see the same in each tree and nothing moves any more. */
async function agreedRoot(nodes: readonly MeshNode[]): Promise<MeshNode> {
  for (;;) {
    const statuses = await Promise.all(nodes.map((node) => node.status()));
    const seen = new Set(statuses.map(({ trees }) => trees.map(({ root }) => root).join(" ")));
    const [root] = statuses[0]!.trees;
    const node = nodes.find(({ name }) => name === root?.root);
    const known = statuses[node?.index ?? 0]!.trees[0]!.tableEntries;
    if (seen.size === 1 && node !== undefined && known === nodes.length - 1) return node;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function labels(nodes: readonly MeshNode[]): string {
  return nodes.map(({ label }) => label).join(", ");
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1_000).toFixed(2)} s`;
}
