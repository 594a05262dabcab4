import { synapseBeside } from "./beside.js";
import type { Tell } from "./install.js";
import { makeMesh, type Owner, startAll } from "./mesh.js";
import { withoutResolver } from "./no-resolver.js";
import { type Edge, loopback, type Place } from "./place.js";
import { Relay } from "./relay.js";
import { Stage } from "./stage.js";
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

function addressOf(place: Place, index: number): string {
  const { host, port } = place.listen(index);
  return `${host}:${port}`;
}
