import t, { type Test } from "tap";
import type { MeshPlan } from "./bed.js";
import { LiveBed } from "./live-bed.js";
import { pairs } from "./mesh.js";

/*
 * Daemons whose links have a delay each and can be cut, and flows between them. The bench `live-mesh` measures what this only counts:
 * that all nodes find each other, and that no byte is lost.
 */

t.setTimeout(240_000);

/** A ring of eight with four links across it: whichever link or node goes, the others stay connected. */
const EDGES: MeshPlan["graph"]["edges"] = [
  ...Array.from({ length: 8 }, (_, node) => [node, (node + 1) % 8] as const),
  ...Array.from({ length: 4 }, (_, node) => [node, node + 4] as const),
];
const PLAN: MeshPlan = {
  graph: { nodes: 8, edges: EDGES, delaysMs: EDGES.map((_, edge) => 5 + 2 * edge) },
  seeds: Array.from({ length: 8 }, (_, node) => new Uint8Array(32).fill(node + 1)),
};
/** What goes in the end, an end of no flow. */
const VICTIM = 6;
const FLOWS = [
  [0, 3],
  [5, 1],
  [2, 7],
] as const;

/** No answer after so long means that none comes. */
const REACH_MS = 30_000;

async function allReachAll(bed: LiveBed): Promise<void> {
  const nodes = bed.nodes.filter((node) => node.runs);
  await Promise.all(pairs(nodes).map(([from, to]) => from.reach(to, REACH_MS)));
}

/** Until every flow has brought more than it had. */
async function allFlow(bed: LiveBed): Promise<void> {
  const before = new Map((await bed.flows()).map(({ from, receivedBytes }) => [from, receivedBytes]));
  for (;;) {
    const flows = await bed.flows();
    if (flows.length === FLOWS.length && flows.every((flow) => flow.receivedBytes > (before.get(flow.from) ?? 0)))
      return;
    await bed.pause(50);
  }
}

async function somethingHappens(t: Test, bed: LiveBed, what: string, happen: () => unknown): Promise<void> {
  const startedMs = bed.nowMs();
  await bed.mark();
  await happen();
  await allReachAll(bed);
  await allFlow(bed);
  const pauseMs = Math.max(...(await bed.flows()).map((flow) => flow.pauseMs));
  t.pass(`all reach all, and all flows go on, after ${what}`);
  t.comment(
    `${what}: ${Math.round(bed.nowMs() - startedMs)} ms; the longest pause of a flow ${Math.round(pauseMs)} ms`,
  );
}

t.test("links die silently or break and a node vanishes, and no flow loses a byte", async (t) => {
  const bed = await LiveBed.start(t, PLAN);
  await bed.open();
  await allReachAll(bed);
  for (const [from, to] of FLOWS) await bed.flow(from, to);
  await allFlow(bed);
  await somethingHappens(t, bed, "a silent link", () => bed.cut(0));
  await somethingHappens(t, bed, "its return", () => bed.heal(0));
  await somethingHappens(t, bed, "broken links", () => {
    bed.reset(8);
    bed.reset(3);
  });
  await somethingHappens(t, bed, "a node that vanished", () => bed.powerOff(VICTIM));
  await bed.stopFlows();
  for (const { from, to, sentBytes, isCorrupt } of await bed.flows()) {
    const received = async () => (await bed.flows()).find((flow) => flow.from === from)!.receivedBytes;
    while ((await received()) < sentBytes) await bed.pause(50);
    t.equal(await received(), sentBytes, `all bytes from ${from} to ${to}`);
    t.notOk(isCorrupt, "unaltered and in order");
  }
});
