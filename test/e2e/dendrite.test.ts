import t from "tap";
import { dendriteBeside, synapseBeside } from "./beside.js";
import { installDendrite, whyNoDendrite } from "./dendrite-install.js";
import { makeMesh, startAll } from "./mesh.js";
import { withoutResolver } from "./no-resolver.js";
import { type Edge, loopback } from "./place.js";
import { Scene } from "./stage.js";
import { MEMBERSHIP_STEPS, TALK_STEPS } from "./steps/all.js";
import { toDevice } from "./steps/devices.js";
import { profile } from "./steps/directories.js";
import type { Step } from "./steps/step.js";
import { installSynapse, whyNoSynapse } from "./synapse-install.js";

t.setTimeout(600_000);

/** A Synapse beside S and a Dendrite beside D, linked by a relay. */
const [S, R, D] = [0, 1, 2];
const EDGES: readonly Edge[] = [
  [S, R],
  [D, R],
];
const REACH_MS = 15_000;
/** The newest rooms of Synapse's are too new for Dendrite. */
const SETTINGS = { default_room_version: "10" };

const STEPS: readonly Step<Scene>[] = [
  ...TALK_STEPS,
  ...MEMBERSHIP_STEPS,
  { title: "messages to a device", run: toDevice },
  { title: "a profile", run: profile },
];

async function openScenes(): Promise<readonly { title: string; scene: Scene }[]> {
  const [python, program] = [
    await installSynapse((line) => t.comment(line)),
    await installDendrite((line) => t.comment(line)),
  ];
  const { prefix } = await withoutResolver(t);
  const place = { ...(await loopback(3)), prefix: () => prefix };
  const nodes = await makeMesh(t, { nodeCount: 3, edges: EDGES, place, labels: ["S", "R", "D"] });
  const [nodeS, nodeD] = [nodes[S]!, nodes[D]!];
  const synapse = await synapseBeside(nodeS, python, prefix, SETTINGS);
  const dendrite = await dendriteBeside(nodeD, program, prefix);
  t.teardown(() => Promise.all([synapse.kill(), dendrite.kill()]));
  await startAll(nodes);
  await nodeS.reach(nodeD, REACH_MS);
  await Promise.all([synapse.start(), dendrite.start()]);
  return [
    { title: "Synapse and Dendrite", scene: new Scene(synapse, dendrite) },
    { title: "Dendrite and Synapse", scene: new Scene(dendrite, synapse) },
  ];
}

const why = whyNoSynapse() ?? whyNoDendrite();
if (why === undefined) {
  for (const { title, scene } of await openScenes()) {
    for (const step of STEPS) {
      t.test(`${title}: ${step.title}`, async (t) => t.pass((await step.run(scene)).text));
    }
  }
} else {
  t.test("a Dendrite and a Synapse across the mesh", { skip: why }, async () => {});
}
