import { join } from "node:path";
import { BARE_NODE } from "../daemon/bare-node.js";
import { run, type Tell } from "./install.js";
import { type MeshNode, makeMesh, type Owner, PINYON, startAll } from "./mesh.js";
import { withoutResolver } from "./no-resolver.js";
import { type Edge, freePorts, loopback, type Place } from "./place.js";
import { Relay } from "./relay.js";
import { Stage } from "./stage.js";
import { Synapse } from "./synapse.js";
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

interface StageOptions {
  /** The relays write down what they see. */
  readonly watched?: boolean;
}

/** Starts nodes A, R1, R2 and B and a Synapse beside A and beside B, all on loopback, none with a resolver. They end with their owner. */
export async function openStage(owner: Owner, tell: Tell, { watched = true }: StageOptions = {}): Promise<Stage> {
  const python = await installSynapse(tell);
  const resolver = await withoutResolver(owner);
  const place: Place = { ...(await loopback(4)), prefix: () => resolver.prefix };
  const capturing = watched ? [R1, R2] : [];
  const labels = ["A", "R1", "R2", "B"];
  const nodes = await makeMesh(owner, { nodeCount: 4, edges: EDGES, place, capturing, planting: [A], labels });
  const [nodeA, nodeB] = [nodes[A]!, nodes[B]!];
  const [r1, r2] = [R1, R2].map((index) => new Relay(nodes[index]!, addressOf(place, index)));
  const [a, b] = await Promise.all([nodeA, nodeB].map((node) => synapseBeside(node, python, resolver.prefix)));
  owner.teardown(() => Promise.all([a!.kill(), b!.kill()]));
  tell("starting nodes A, R1, R2 and B");
  await startAll(nodes);
  for (const relay of [r1!, r2!]) relay.watch();
  await nodeA.reach(nodeB, REACH_MS);
  tell("starting two Synapses");
  await Promise.all([a!.start(), b!.start()]);
  return new Stage(a!, b!, { nodeA, nodeB, relays: [r1!, r2!], resolver });
}

/** A new Synapse under a node's name, made as its operator makes it; none runs yet. */
export async function synapseBeside(node: MeshNode, python: string, prefix: readonly string[]): Promise<Synapse> {
  const [port = 0, outboundPort = 0] = await freePorts(2);
  const folder = join(node.folder, "synapse");
  const connect = ["homeserver", "connect", "synapse", "--new", folder, "--apply"];
  const where = ["--port", String(port), "--listen", `127.0.0.1:${outboundPort}`];
  const [env, ...bareNode] = BARE_NODE;
  await run(env, [...bareNode, PINYON, "--state", node.folder, ...connect, ...where]);
  return new Synapse({ python, folder, name: node.name, label: `Synapse ${node.label}`, port, prefix });
}

function addressOf(place: Place, index: number): string {
  const { host, port } = place.listen(index);
  return `${host}:${port}`;
}
