/**
 * How long a message takes from a send on one Synapse to the sync on another: across the mesh by one relay, and by turns the same two
 * Synapses joined by a plain local proxy. Prints both medians and their ratio.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { readConfig } from "../../src/daemon/config-file.js";
import { configPath } from "../../src/daemon/state-folder.js";
import { Ends } from "../e2e/ends.js";
import type { MeshNode } from "../e2e/mesh.js";
import { openStage } from "../e2e/open-stage.js";
import { freePorts } from "../e2e/place.js";
import { startPlainProxy } from "../e2e/plain-proxy.js";
import type { Stage } from "../e2e/stage.js";
import { median, pause } from "../e2e/steps/step.js";
import { accounts, joinByAlias } from "../e2e/steps/talk.js";

const WAYS = ["mesh", "plain"] as const;
type Way = (typeof WAYS)[number];

/** Sends each way before those that are timed. */
const WARM_UP = 10;
const TIMES = 30;
/** For a sync to be waiting at the homeserver before there is something to sync. */
const SETTLE_MS = 50;
const REACH_MS = 15_000;
const ARRIVE_MS = 60_000;

let way: Way = "mesh";

/** Puts a proxy between each homeserver and its node, which passes by the node where the way is plain. */
async function insertProxies({ a, b, nodeA, nodeB }: Stage, ends: Ends): Promise<void> {
  const ports = new Map([a, b].map(({ name, url }) => [name, Number(new URL(url).port)]));
  for (const node of [nodeA, nodeB]) {
    const [nodePort = 0] = await freePorts(1);
    const port = await moveListener(node, nodePort);
    const proxy = await startPlainProxy(port, ports, () => (way === "mesh" ? nodePort : undefined));
    ends.teardown(() => proxy.close());
  }
  await nodeA.reach(nodeB, REACH_MS);
}

/** Has a node take its homeserver's federation on another port; gives the one that it had. */
async function moveListener(node: MeshNode, port: number): Promise<number> {
  const file = configPath(node.folder);
  const listen = readConfig(file).homeserver?.listen;
  if (listen === undefined || !("port" in listen)) throw new Error("the node has no port for its homeserver");
  await node.end("SIGTERM");
  const [from, to] = [listen.port, port].map((one) => `listen: "127.0.0.1:${one}"`) as [string, string];
  writeFileSync(file, readFileSync(file, "utf8").replace(from, to));
  node.start();
  await node.ready();
  return listen.port;
}

/** From a send of Alice's to Bob's sync. */
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

const ends = new Ends();
try {
  const stage = await openStage(ends, (line) => console.log(line), { watched: false });
  await insertProxies(stage, ends);
  await accounts(stage);
  await joinByAlias(stage);
  const times: Record<Way, number[]> = { mesh: [], plain: [] };
  for (let round = 0; round < WARM_UP + TIMES; round++) {
    for (way of WAYS) times[way].push(await timeMs(stage, `${way} ${round}`));
  }
  const [meshMs, plainMs] = WAYS.map((one) => median(times[one].slice(WARM_UP))) as [number, number];
  const { hops } = await stage.nodeA.ping(stage.nodeB);
  console.log(`send to sync, median of ${TIMES}: ${meshMs.toFixed(1)} ms across the mesh in ${hops} hops,`);
  console.log(`${plainMs.toFixed(1)} ms by a plain proxy: ${(meshMs / plainMs).toFixed(2)} times as long`);
} finally {
  await ends.end();
}
process.exit();
