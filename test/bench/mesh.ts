import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { configPath } from "../../src/daemon/state-folder.js";
import { MeshNode, makeMesh, PINYON, startAll } from "../e2e/mesh.js";
import { type Edge, loopback, type Place } from "../e2e/place.js";
import { endProcess } from "../e2e/processes.js";
import type { Bench } from "./benchmark.js";

const REACH_MS = 15_000;

interface Shape {
  readonly nodeCount: number;
  readonly edges: readonly Edge[];
  /** Loopback where it is left out. */
  readonly place?: Place;
  /** Peer URIs that every node has beside its edges. */
  readonly peers?: readonly string[];
  /** Nodes that run a program of the folder `programs` in place of `pinyon run`. */
  readonly programs?: Readonly<Record<number, string>>;
}

/** Makes nodes whose links are plain `ws`, as on a host of their own or a trusted network; `startNodes` runs them. */
export async function makeNodes(bench: Bench, shape: Shape): Promise<MeshNode[]> {
  const { nodeCount, edges, peers = [], programs = {}, place = await loopback(nodeCount) } = shape;
  const made = await makeMesh(bench, { nodeCount, edges, place, peers });
  const nodes = made.map(({ index, folder, name, label }) => {
    const file = configPath(folder);
    writeFileSync(file, readFileSync(file, "utf8").replaceAll("wss://", "ws://"));
    const program = programs[index];
    const run = program === undefined ? [PINYON, "--state", folder, "run"] : [programFile(program), folder];
    return new MeshNode(index, folder, name, label, [...place.prefix(index), ...bench.node, ...run]);
  });
  // By a signal that lets them write what they have to, a profile for one.
  bench.teardown(() => Promise.all(nodes.map((node) => endProcess(node.process, "SIGTERM"))));
  return nodes;
}

/** Runs the nodes and waits until the first reaches the last. */
export async function startNodes(nodes: readonly MeshNode[]): Promise<void> {
  await startAll(nodes);
  if (nodes.length > 1) await nodes[0]!.reach(nodes.at(-1)!, REACH_MS);
}

function programFile(program: string): string {
  return fileURLToPath(new URL(`programs/${program}.js`, import.meta.url));
}
