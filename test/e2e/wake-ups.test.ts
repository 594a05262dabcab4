import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { configPath } from "../../src/daemon/state-folder.js";
import type { WakeUpState } from "../../src/federation/wake-ups.js";
import { dendriteBeside, synapseBeside } from "./beside.js";
import { installDendrite, whyNoDendrite } from "./dendrite-install.js";
import { counter } from "./figures.js";
import { type MeshNode, makeMesh, startAll } from "./mesh.js";
import { type Edge, loopback } from "./place.js";
import { Scene } from "./stage.js";
import { pause, time } from "./steps/step.js";
import { accounts, hasTexts, joinByAlias, PASSWORD, sendTexts } from "./steps/talk.js";
import { installSynapse, whyNoSynapse } from "./synapse-install.js";

/* Homeservers that keep their own pace, when one that they have messages for was away: by a wake-up they know at once that it is back. */

t.setTimeout(600_000);

const [AWAY, R, DENDRITE, SYNAPSE] = [0, 1, 2, 3];
const EDGES: readonly Edge[] = [
  [AWAY, R],
  [DENDRITE, R],
  [SYNAPSE, R],
];
const REACH_MS = 15_000;
/** Two minutes, and whatever is asked again a minute later. */
const AWAY_MS = 210_000;
/** Without a wake-up a Synapse waits ten minutes. */
const RETURN_MS = 60_000;
const MESSAGES = 10;
/** As Synapse has them where nobody sets them. */
const OWN_PACE = { default_room_version: "10", federation: {} };

/** What a person who leaves Synapse's settings alone has in the node's config. */
function ownPace({ folder }: MeshNode): void {
  const path = configPath(folder);
  const before = readFileSync(path, "utf8");
  const after = before.replace(/("?fastRetries"?: *)true/, "$1false");
  if (after === before) throw new Error("`connect` has not written `fastRetries`");
  writeFileSync(path, after);
}

async function wakesBoth(t: Test): Promise<void> {
  const tell = (line: string) => t.comment(line);
  const [python, program] = [await installSynapse(tell), await installDendrite(tell)];
  const labels = ["A", "R", "D", "S"];
  const nodes = await makeMesh(t, { nodeCount: 4, edges: EDGES, place: await loopback(4), labels });
  const [nodeA, nodeD, nodeS] = [nodes[AWAY]!, nodes[DENDRITE]!, nodes[SYNAPSE]!];
  const away = await synapseBeside(nodeA, python, [], { default_room_version: "10" });
  const dendrite = await dendriteBeside(nodeD, program, []);
  const synapse = await synapseBeside(nodeS, python, [], OWN_PACE);
  ownPace(nodeS);
  t.teardown(() => Promise.all([away, dendrite, synapse].map((homeserver) => homeserver.kill())));
  await startAll(nodes);
  await Promise.all([nodeD, nodeS].map((node) => node.reach(nodeA, REACH_MS)));
  await Promise.all([away, dendrite, synapse].map((homeserver) => homeserver.start()));
  const scenes = [new Scene(dendrite, away), new Scene(synapse, away)];
  const [first, second] = scenes as [Scene, Scene];
  await accounts(first);
  second.alice = await synapse.register("alice", PASSWORD);
  second.bob = first.bob;
  for (const scene of scenes) await joinByAlias(scene);

  await Promise.all([away.stop(), nodeA.end("SIGTERM")]);
  const backMs = performance.now() + AWAY_MS;
  const texts = await Promise.all(scenes.map((scene) => sendTexts(scene, scene.alice, MESSAGES, "meanwhile")));
  await pause(backMs - performance.now());
  const { owed } = JSON.parse(readFileSync(join(nodeS.folder, "wake-ups"), "utf8")) as WakeUpState;
  t.match(owed, [{ name: nodeA.name }], "the Synapse was told to wait, and its node has noted what it is owed");
  nodeA.start();
  await Promise.all([nodeA.ready(), away.start()]);
  const upMs = performance.now();
  await Promise.all(
    scenes.map(async ({ a, alice, bob, roomId }, index) => {
      await hasTexts(bob, roomId, alice, texts[index]!, RETURN_MS);
      t.comment(`${a.label}'s messages are there ${time(performance.now() - upMs)} after the return`);
    }),
  );
  t.ok((await counter(nodeA, "wake_ups_sent")) >= scenes.length, "both were woken");
}

const why = whyNoSynapse() ?? whyNoDendrite();
t.test(
  "a server that returns after minutes is sent what waited, by homeservers of their own pace",
  { skip: why ?? false },
  wakesBoth,
);
