import t from "tap";
import { makeMesh, startAll } from "./mesh.js";
import { type Edge, namespaces, whyNoNamespaces } from "./place.js";
import { meshScenarios } from "./scenarios.js";

t.setTimeout(240_000);
const why = whyNoNamespaces();
if (why === undefined) {
  meshScenarios(t, namespaces);

  t.test("two nodes with nothing configured find each other on the LAN", async (t) => {
    const edges: readonly Edge[] = [[0, 1]];
    const place = await namespaces(t, 2, edges);
    const nodes = await makeMesh(t, { nodeCount: 2, edges, place, discovery: true });
    const startedMs = await startAll(nodes);
    t.equal((await nodes[0]!.reach(nodes[1]!, 30_000)).hops, 1);
    t.comment(`linked and pinged ${Math.round(performance.now() - startedMs)} ms after the last start`);
    t.match(await nodes[0]!.status(), { localOnly: true, discovery: /^on / });
  });
} else {
  t.test("daemons in network namespaces", { skip: why }, async () => {});
}
