import t from "tap";
import { namespaces, whyNoNamespaces } from "./place.js";
import { meshScenarios } from "./scenarios.js";

t.setTimeout(240_000);
const why = whyNoNamespaces();
if (why === undefined) meshScenarios(t, async (t, nodeCount, edges) => namespaces(t, nodeCount, edges));
else t.test("daemons in network namespaces", { skip: why }, async () => {});
