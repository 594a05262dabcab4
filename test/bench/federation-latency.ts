/**
 * How long a message takes from a send on one Synapse to the sync on another: across the mesh by one relay, and beside it the same two
 * Synapses joined by a plain local proxy. Prints both medians and their ratio.
 */
import { readConfig } from "../../src/daemon/config-file.js";
import { configPath } from "../../src/daemon/state-folder.js";
import { Ends } from "../e2e/ends.js";
import type { MeshNode } from "../e2e/mesh.js";
import { openStage } from "../e2e/open-stage.js";
import { startPlainProxy } from "../e2e/plain-proxy.js";
import type { Stage } from "../e2e/stage.js";
import { eventually, median, pause } from "../e2e/steps/step.js";
import { accounts, joinByAlias } from "../e2e/steps/talk.js";

/** Sends before those that are timed. */
const WARM_UP = 20;
const TIMES = 30;
/** For a sync to be waiting at the homeserver before there is something to sync. */
const SETTLE_MS = 50;
const ARRIVE_MS = 60_000;

/** From a send of Alice's to Bob's sync, in ms: the middle one of all that are timed. */
async function medianMs(stage: Stage, way: string): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < WARM_UP + TIMES; index++) times.push(await timeMs(stage, `${way} ${index}`));
  return median(times.slice(WARM_UP));
}

async function timeMs({ alice, bob, roomId }: Stage, text: string): Promise<number> {
  await bob.sync(0);
  const seen = bob.until(text, ARRIVE_MS, ({ rooms }) => {
    const events = rooms?.join?.[roomId]?.timeline?.events;
    return events?.find(({ content }) => content["body"] === text) && performance.now();
  });
  await pause(SETTLE_MS);
  const sentMs = performance.now();
  await alice.sendText(roomId, text);
  return (await seen) - sentMs;
}

/** Puts plain proxies where the homeservers hand over their federation, in place of the nodes. */
async function leaveMesh({ a, b, nodeA, nodeB, alice, bob, roomId, relays }: Stage, ends: Ends): Promise<void> {
  await Promise.all([nodeA, nodeB, ...relays.map(({ node }) => node)].map((node) => node.end("SIGTERM")));
  const ports = new Map([a, b].map(({ name, url }) => [name, Number(new URL(url).port)]));
  for (const node of [nodeA, nodeB]) {
    const proxy = await startPlainProxy(outboundPort(node), ports);
    ends.teardown(() => proxy.close());
  }
  await alice.sendText(roomId, "by the proxy");
  await eventually(
    "a message by the proxy",
    ARRIVE_MS,
    async () => (await bob.texts(roomId)).includes("by the proxy") || undefined,
  );
}

function outboundPort({ folder }: MeshNode): number {
  const listen = readConfig(configPath(folder)).homeserver?.listen;
  if (listen === undefined || !("port" in listen)) throw new Error("the node has no port for its homeserver");
  return listen.port;
}

const ends = new Ends();
try {
  const stage = await openStage(ends, (line) => console.log(line), { watched: false });
  await accounts(stage);
  await joinByAlias(stage);
  const meshMs = await medianMs(stage, "mesh");
  const { hops } = await stage.nodeA.ping(stage.nodeB);
  await leaveMesh(stage, ends);
  const plainMs = await medianMs(stage, "plain");
  console.log(`send to sync, median of ${TIMES}: ${meshMs.toFixed(1)} ms across the mesh in ${hops} hops,`);
  console.log(`${plainMs.toFixed(1)} ms by a plain proxy: ${(meshMs / plainMs).toFixed(2)} times as long`);
} finally {
  await ends.end();
}
process.exit();
