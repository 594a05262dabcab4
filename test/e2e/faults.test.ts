import { rmSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { parseHostPort } from "../../src/daemon/host-port.js";
import { synapseBeside } from "./beside.js";
import { counter } from "./figures.js";
import { MatrixError } from "./matrix-client.js";
import { type MeshNode, makeMesh, peerUri } from "./mesh.js";
import { openStage } from "./open-stage.js";
import { loopback } from "./place.js";
import type { Stage } from "./stage.js";
import { SteadySender } from "./steady-sender.js";
import { downloadFile, uploadFile } from "./steps/media.js";
import { eventually, must, pause, time } from "./steps/step.js";
import { accounts, hasTexts, joinByAlias, sendTexts } from "./steps/talk.js";
import type { Synapse } from "./synapse.js";
import { installSynapse, whyNoSynapse } from "./synapse-install.js";

/* Two Synapses across the mesh, and what becomes of their federation when processes are killed in the middle of it. */

t.setTimeout(400_000);

/** Links are back within 1 s, and Synapse asks again within 5 s. */
const RETURN_MS = 60_000;
/** For how long a process is gone. */
const GONE_MS = 500;
/** Where a file is cut off. */
const CUT_AT_BYTES = 10_000_000;
const NOTES = 10;

/** Something that runs, and may be killed. */
interface Victim {
  readonly title: string;
  kill(): Promise<unknown>;
  start(): Promise<unknown>;
}

function victims({ a, b, nodeA, nodeB, relays: [r1, r2] }: Stage): readonly Victim[] {
  return [
    ...[nodeA, nodeB].map((node) => ({
      title: `${node.label}'s daemon`,
      kill: () => node.end("SIGKILL"),
      start: () => {
        node.start();
        return node.ready();
      },
    })),
    ...[a, b].map((homeserver) => ({
      title: homeserver.label,
      kill: () => homeserver.kill(),
      start: () => homeserver.start(),
    })),
    {
      title: "both relays",
      kill: () => Promise.all([r1, r2].map(({ node }) => node.end("SIGKILL"))),
      start: () => Promise.all([r1, r2].map((relay) => relay.start())),
    },
    { title: "one relay", kill: () => r1.node.end("SIGKILL"), start: () => r1.start() },
  ];
}

async function killEachUnderLoad(t: Test, stage: Stage): Promise<void> {
  const { alice, bob, roomId, marker } = stage;
  const senders = [alice, bob].map((client) => new SteadySender(client, roomId, `${marker} load`));
  const readers = [bob, alice];
  for (const { title, kill, start } of victims(stage)) {
    await kill();
    await pause(GONE_MS);
    await start();
    const startedMs = performance.now();
    for (const [index, { sent }] of senders.entries()) {
      await eventually(`what is sent after ${title} was killed`, RETURN_MS, async () => {
        const last = sent.at(-1);
        return last !== undefined && (await readers[index]!.texts(roomId)).includes(last) ? last : undefined;
      });
    }
    t.comment(`${title}: messages pass both ways ${time(performance.now() - startedMs)} after its start`);
  }
  const sent = await Promise.all(senders.map((sender) => sender.stop()));
  for (const reader of [alice, bob]) {
    await hasTexts(reader, roomId, alice, sent[0]!, RETURN_MS);
    await hasTexts(reader, roomId, bob, sent[1]!, RETURN_MS);
  }
  t.pass(`${sent[0]!.length} and ${sent[1]!.length} messages, on both sides, in order, once`);
}

async function cutInMidBody(t: Test, stage: Stage, { kill, start }: Victim): Promise<void> {
  const { mxc, sha256 } = await uploadFile(stage);
  const { carrier, other } = await stage.carrier();
  const carriedBytes = () => carrier.carriedBytesTo(stage.nodeB) + other.carriedBytesTo(stage.nodeB);
  const beforeBytes = carriedBytes();
  const first = downloadFile(stage.bob, mxc, sha256).then(
    () => "is whole",
    (error: unknown) => error,
  );
  await eventually(
    "the middle of the file",
    RETURN_MS,
    async () => carriedBytes() - beforeBytes > CUT_AT_BYTES || undefined,
  );
  await kill();
  await pause(GONE_MS);
  await start();
  const outcome = await first;
  t.ok(outcome === "is whole" || outcome instanceof MatrixError, `the download that was cut: ${outcome}`);
  await eventually("the file afterwards", RETURN_MS, () => downloadFile(stage.bob, mxc, sha256));
}

async function notesToOneAway(t: Test, { alice, bob, nodeB }: Stage): Promise<void> {
  await bob.sync();
  await nodeB.end("SIGKILL");
  const parts = Array.from({ length: NOTES }, (_, index) => index);
  for (const part of parts) await alice.sendToDevice("org.pinyon.note", { [bob.userId]: { [bob.deviceId]: { part } } });
  nodeB.start();
  await nodeB.ready();
  const received: unknown[] = [];
  const take = async (timeoutMs: number) => {
    const { to_device } = await bob.sync(timeoutMs);
    const notes = to_device?.events.filter(({ type }) => type === "org.pinyon.note") ?? [];
    received.push(...notes.map(({ content }) => content["part"]));
  };
  await eventually("all notes", RETURN_MS, async () => {
    await take(1_000);
    return received.length >= NOTES || undefined;
  });
  // A second time would come with the next transaction.
  await alice.sendToDevice("org.pinyon.note", { [bob.userId]: { [bob.deviceId]: { part: NOTES } } });
  await eventually("the note after them", RETURN_MS, async () => {
    await take(1_000);
    return received.includes(NOTES) || undefined;
  });
  t.same(received, [...parts, NOTES]);
}

/** A third node, linked to a relay, and a Synapse beside it that does not run yet. */
async function openC(
  t: Test,
  { relays: [{ node, address }], resolver }: Stage,
): Promise<{ nodeC: MeshNode; c: Synapse }> {
  const place = { ...(await loopback(1)), prefix: () => resolver.prefix };
  const peers = [peerUri(node, parseHostPort(address)!)];
  const [nodeC] = await makeMesh(t, { nodeCount: 1, edges: [], place, peers, labels: ["C"] });
  const c = await synapseBeside(nodeC!, await installSynapse((line) => t.comment(line)), resolver.prefix);
  t.teardown(() => c.kill());
  nodeC!.start();
  await nodeC!.ready();
  return { nodeC: nodeC!, c };
}

/**
 * C's homeserver has forgotten all that it knew, and A is away: C joins the room from B, and must verify what A's members sent, by the key
 * that C's daemon has kept.
 */
async function keyOfOneAway(t: Test, stage: Stage): Promise<void> {
  const { a, b, alice, nodeA, roomId } = stage;
  // B does not know the room before its own join, and nobody can take the message after that from it.
  await alice.sendText(roomId, "the first");
  const texts = await sendTexts(stage, alice, 5, "before A went away");
  const { nodeC, c } = await openC(t, stage);
  await c.start();
  const carol = await c.register("carol");
  await carol.setDisplayName("Carol");
  must((await alice.profile(carol.userId)).displayname === "Carol", "A does not reach C");
  await c.stop();
  rmSync(join(c.folder, "homeserver.db"));
  await Promise.all([a.stop(), nodeA.end("SIGTERM")]);
  await c.start();
  const newCarol = await c.register("carol");
  await newCarol.join(roomId, [b.name]);
  await hasTexts(newCarol, roomId, alice, texts, RETURN_MS);
  t.ok((await counter(nodeC, "key_responses_served")) > 0, "the daemon has served A's key");
}

const why = whyNoSynapse();
if (why === undefined) {
  const stage = await openStage(t, (line) => t.comment(line));
  await accounts(stage);
  await joinByAlias(stage);
  t.test("kill -9 of every process under load loses no message, and doubles none", (t) => killEachUnderLoad(t, stage));
  for (const victim of victims(stage).slice(1, -1)) {
    t.test(`a file cut in the middle by kill -9 of ${victim.title} never passes for whole, and comes later`, (t) =>
      cutInMidBody(t, stage, victim),
    );
  }
  t.test("to-device messages to one that is away arrive once, in order", (t) => notesToOneAway(t, stage));
  t.test("events of a server that is away verify by the key that the daemon has kept", (t) => keyOfOneAway(t, stage));
} else {
  t.test("faults under two Synapses", { skip: why }, async () => {});
}
