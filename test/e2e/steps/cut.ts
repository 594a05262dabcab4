import type { MatrixClient } from "../matrix-client.js";
import type { Stage } from "../stage.js";
import { sendNotes, takeNotes } from "./devices.js";
import { joinedRoom } from "./rooms.js";
import { eventually, type Finding, must, time } from "./step.js";
import { hasTexts } from "./talk.js";

/** Links are back within 1 s of a relay's start, and Synapse asks again every 5 s. */
const HEAL_MS = 60_000;
const MISSED = 60;
const EACH = 5;

/**
 * While the two are cut off, Alice sends more than a homeserver asks for at once, and hers is restarted: it does not remember what it has
 * not delivered, and sends the newest alone. Bob's gets the rest by asking for it.
 */
export async function backfillAfterCut(stage: Stage): Promise<Finding> {
  const { a, alice, bob } = stage;
  const roomId = await joinedRoom(stage, {});
  await cut(stage);
  const texts = await send(alice, roomId, `${stage.marker} missed`, MISSED);
  await a.restart();
  const durationMs = await heal(stage, () => hasTexts(bob, roomId, alice, texts, HEAL_MS));
  return { text: `${MISSED} messages there ${time(durationMs)} after`, figures: { messages: MISSED, durationMs } };
}

/** Both send and both change state while they are cut off; then both have the same messages and the same state. */
export async function partitionHealed(stage: Stage): Promise<Finding> {
  const { alice, bob } = stage;
  const everybodyMay = { power_level_content_override: { state_default: 0 } };
  const roomId = await joinedRoom(stage, { ...everybodyMay, topic: "before" });
  await eventually("Bob's topic", HEAL_MS, () => bob.stateOf(roomId, "m.room.topic"));
  await cut(stage);
  const sent = await Promise.all(
    [alice, bob].map(async (client) => {
      await client.setState(roomId, "m.room.topic", { topic: `${client.label}'s` });
      await client.setState(roomId, "org.pinyon.side", { side: client.label }, client.label);
      return send(client, roomId, `${stage.marker} ${client.label} apart`, EACH);
    }),
  );
  const durationMs = await heal(stage, async () => {
    await hasTexts(bob, roomId, alice, sent[0]!, HEAL_MS);
    await hasTexts(alice, roomId, bob, sent[1]!, HEAL_MS);
    await eventually("the same state", HEAL_MS, async () => {
      const [one, other] = await Promise.all([alice, bob].map((client) => stateOf(client, roomId)));
      return one === other || undefined;
    });
  });
  for (const side of [alice, bob]) {
    const content = await side.stateOf(roomId, "org.pinyon.side", side === alice ? bob.label : alice.label);
    must(content["side"] !== side.label, "a change of state was lost");
  }
  const { topic } = await alice.stateOf(roomId, "m.room.topic");
  must(topic === "alice's" || topic === "bob's", `the topic is ${topic}`);
  return { text: `the same messages and state ${time(durationMs)} after`, figures: { durationMs } };
}

/** What Alice sends to Bob's device while they are cut off comes there after, once, and before what she sends then. */
export async function toDeviceAfterCut(stage: Stage): Promise<Finding> {
  await stage.bob.sync();
  await cut(stage);
  await sendNotes(stage, [1, 2]);
  const durationMs = await heal(stage, async () => {
    await sendNotes(stage, [3]);
    await takeNotes(stage, [1, 2, 3], HEAL_MS);
  });
  return { text: `three notes, in order, once, ${time(durationMs)} after`, figures: { durationMs } };
}

/** Ends all ways between A and B. */
async function cut({ relays }: Stage): Promise<void> {
  await Promise.all(relays.map(({ node }) => node.end("SIGTERM")));
}

/** Opens the ways again; gives how long it took from there until something came about. */
async function heal(stage: Stage, cameAbout: () => Promise<void>): Promise<number> {
  await stage.startRelays();
  const startedMs = performance.now();
  await cameAbout();
  return performance.now() - startedMs;
}

async function send(sender: MatrixClient, roomId: string, text: string, count: number): Promise<string[]> {
  const texts = Array.from({ length: count }, (_, index) => `${text} ${index + 1}`);
  for (const one of texts) await sender.sendText(roomId, one);
  return texts;
}

/** All state of a room, in an order of its own. */
async function stateOf(client: MatrixClient, roomId: string): Promise<string> {
  const events = await client.state(roomId);
  return events
    .map(({ type, state_key, event_id }) => `${type} ${state_key} ${event_id}`)
    .toSorted()
    .join("\n");
}
