import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readKey } from "../../src/daemon/key-file.js";
import { configPath } from "../../src/daemon/state-folder.js";
import type { Tell } from "./install.js";
import { type MeshNode, makeMesh, type Owner, startAll } from "./mesh.js";
import { withoutResolver } from "./no-resolver.js";
import { type Edge, freePorts, loopback, type Place } from "./place.js";
import { Relay } from "./relay.js";
import { Stage } from "./stage.js";
import { Synapse } from "./synapse.js";
import { writeSynapseConfig } from "./synapse-config.js";
import { installSynapse } from "./synapse-install.js";

const [A, R1, R2, B] = [0, 1, 2, 3];
const EDGES: readonly Edge[] = [
  [A, R1],
  [A, R2],
  [B, R1],
  [B, R2],
];
/** No answer after so long means that none comes. */
const REACH_MS = 15_000;

/** Starts nodes A, R1, R2 and B and a Synapse beside A and beside B, all on loopback, none with a resolver. They end with their owner. */
export async function openStage(owner: Owner, tell: Tell): Promise<Stage> {
  const python = await installSynapse(tell);
  const resolver = await withoutResolver(owner);
  const place: Place = { ...(await loopback(4)), prefix: () => resolver.prefix };
  const labels = ["A", "R1", "R2", "B"];
  const nodes = await makeMesh(owner, {
    nodeCount: 4,
    edges: EDGES,
    place,
    capturing: [R1, R2],
    planting: [A],
    labels,
  });
  const [nodeA, nodeB] = [nodes[A]!, nodes[B]!];
  const relay = (index: number) => {
    const { host, port } = place.listen(index);
    return new Relay(nodes[index]!, `${host}:${port}`);
  };
  const relays = [relay(R1), relay(R2)] as const;
  const homeservers = await Promise.all([nodeA, nodeB].map((node) => synapseBeside(node, python, resolver.prefix)));
  const [a, b] = homeservers as [Synapse, Synapse];
  owner.teardown(() => Promise.all(homeservers.map((homeserver) => homeserver.kill())));
  tell("starting nodes A, R1, R2 and B");
  await startAll(nodes);
  for (const relay of relays) relay.watch();
  await nodeA.reach(nodeB, REACH_MS);
  tell("starting two Synapses");
  await Promise.all(homeservers.map((homeserver) => homeserver.start()));
  return new Stage(a, b, { nodeA, nodeB, relays, resolver });
}

/** A new Synapse under a node's name; none runs yet. */
export async function synapseBeside(node: MeshNode, python: string, prefix: readonly string[]): Promise<Synapse> {
  const [port = 0, outboundPort = 0] = await freePorts(2);
  const folder = join(node.folder, "synapse");
  mkdirSync(folder);
  const secret = randomBytes(16).toString("hex");
  const file = configPath(node.folder);
  const homeserver = {
    url: `http://127.0.0.1:${port}`,
    listen: `127.0.0.1:${outboundPort}`,
    secret,
    fastRetries: true,
  };
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), homeserver }), { mode: 0o600 });
  const seed = (await readKey(node.folder))!;
  writeSynapseConfig({ folder, name: node.name, seed, port, outbound: { port: outboundPort, secret } });
  return new Synapse({ python, folder, name: node.name, label: `Synapse ${node.label}`, port, prefix });
}
