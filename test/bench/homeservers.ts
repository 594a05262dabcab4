import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { configPath } from "../../src/daemon/state-folder.js";
import type { MeshNode } from "../e2e/mesh.js";
import { type Edge, freePorts, type Place } from "../e2e/place.js";
import type { Bench } from "./benchmark.js";
import { makeNodes, startNodes } from "./mesh.js";
import { Worker } from "./worker.js";

export const CHAIN: readonly Edge[] = [
  [0, 1],
  [2, 1],
];

/** A homeserver beside the first node of a chain of three and one beside the last, each in a process of its own. */
export interface Homeservers {
  readonly a: Worker;
  readonly nodes: readonly MeshNode[];
  /** How A asks B: across the mesh, and straight to its port. */
  readonly byMesh: { readonly to: string };
  readonly direct: { readonly to: string; readonly port: number };
}

/** The nodes run at once, unless `waits`: then `startNodes` is the caller's. */
export async function openHomeservers(bench: Bench, place?: Place, waits = false): Promise<Homeservers> {
  const nodes = await makeNodes(bench, { nodeCount: 3, edges: CHAIN, ...(place && { place }) });
  const [first, , last] = nodes as [MeshNode, MeshNode, MeshNode];
  const [a, b] = [await beside(bench, first, place?.prefix(0)), await beside(bench, last, place?.prefix(2))];
  if (!waits) await startNodes(nodes);
  return { a: a.worker, nodes, byMesh: { to: last.name }, direct: { to: last.name, port: b.port } };
}

/** A homeserver beside a node, whose config names it. */
export async function beside(bench: Bench, node: MeshNode, prefix: readonly string[] = []) {
  const [port = 0, nodePort = 0] = await freePorts(2);
  const secret = randomBytes(16).toString("hex");
  const file = configPath(node.folder);
  const config = JSON.parse(readFileSync(file, "utf8"));
  const homeserver = { url: `http://127.0.0.1:${port}`, listen: `127.0.0.1:${nodePort}`, secret };
  writeFileSync(file, JSON.stringify({ ...config, homeserver }), { mode: 0o600 });
  const worker = await Worker.start(bench, "homeserver", [node.name, String(port), String(nodePort), secret], prefix);
  return { worker, port };
}
