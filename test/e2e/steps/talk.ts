import type { MatrixClient } from "../matrix-client.js";
import type { Scene } from "../stage.js";
import { eventually, type Finding, must, time, timed } from "./step.js";

/** What reaches the other server does so within milliseconds, or at Synapse's first retry after 4 s. */
export const ARRIVE_MS = 30_000;

/** Of all accounts: nothing reaches these homeservers from outside. */
export const PASSWORD = "pinyon-demo";

/** An account on each homeserver. */
export async function accounts(scene: Scene): Promise<Finding> {
  scene.alice = await scene.a.register("alice", PASSWORD);
  scene.bob = await scene.b.register("bob", PASSWORD);
  return { text: `${shortId(scene.alice)} and ${shortId(scene.bob)}`, figures: { accounts: 2 } };
}

/** Bob joins a room of Alice's by its alias; each sees the other there. */
export async function joinByAlias(scene: Scene): Promise<Finding> {
  const { alice, bob } = scene;
  scene.roomId = await alice.createRoom({ name: "Hall", room_alias_name: "hall", preset: "public_chat" });
  const startedMs = performance.now();
  const joined = await bob.join(`#hall:${scene.a.name}`);
  const joinMs = performance.now() - startedMs;
  must(joined === scene.roomId, "Bob joined another room");
  for (const client of [alice, bob]) {
    await eventually(`${client.label} sees both members`, ARRIVE_MS, async () => {
      const members = await client.joinedMembers(joined);
      return members.includes(alice.userId) && members.includes(bob.userId) ? members : undefined;
    });
  }
  return { text: `after ${time(joinMs)}`, figures: { joinMs } };
}

/** Both send at the same time; then either homeserver has all of both, in the order they were sent in, once. */
export async function messagesEachWay(scene: Scene, count: number): Promise<Finding> {
  const { alice, bob, roomId } = scene;
  const startedMs = performance.now();
  const sent = await Promise.all([alice, bob].map((sender) => sendTexts(scene, sender, count, "hello")));
  for (const reader of [alice, bob]) {
    for (const [index, sender] of [alice, bob].entries()) await hasTexts(reader, roomId, sender, sent[index]!);
  }
  const durationMs = performance.now() - startedMs;
  return { text: `all there after ${time(durationMs)}`, figures: { messages: 2 * count, durationMs } };
}

/** Sends texts one after another; gives them. */
export async function sendTexts(scene: Scene, sender: MatrixClient, count: number, topic: string): Promise<string[]> {
  const texts = Array.from({ length: count }, (_, index) => `${scene.marker} ${sender.label} ${topic} ${index + 1}`);
  for (const text of texts) await sender.sendText(scene.roomId, text);
  return texts;
}

/** Waits until a homeserver has these texts of a sender; then they must be there in this order, each once. */
export async function hasTexts(
  reader: MatrixClient,
  roomId: string,
  sender: MatrixClient,
  texts: readonly string[],
  withinMs = ARRIVE_MS,
): Promise<void> {
  const wanted = new Set(texts);
  const what = `${reader.label}'s homeserver has ${texts.length} messages of ${sender.label}`;
  const found = await eventually(what, withinMs, async () => {
    const all = (await reader.texts(roomId, sender.userId)).filter((text) => wanted.has(text));
    return new Set(all).size === wanted.size ? all : undefined;
  });
  must(found.length === texts.length, `${reader.label}'s homeserver has messages of ${sender.label} twice`);
  must(
    found.join("\n") === texts.join("\n"),
    `${reader.label}'s homeserver has ${sender.label}'s messages out of order`,
  );
}

/** Bob sees Alice typing, and how she is; Alice sees how far Bob has read. */
export async function typingAndReceipt(scene: Scene): Promise<Finding> {
  const { alice, bob, roomId } = scene;
  await Promise.all([alice.sync(), bob.sync()]);
  const typingMs = await timed(async () => {
    await alice.typing(roomId, true);
    await bob.until("Alice typing", ARRIVE_MS, ({ rooms }) =>
      rooms?.join?.[roomId]?.ephemeral?.events.find(
        ({ type, content }) => type === "m.typing" && (content["user_ids"] as string[]).includes(alice.userId),
      ),
    );
  });
  const eventId = (await bob.messages(roomId)).at(-1)!.event_id;
  const receiptMs = await timed(async () => {
    await bob.receipt(roomId, eventId);
    await alice.until("Bob's receipt", ARRIVE_MS, ({ rooms }) =>
      rooms?.join?.[roomId]?.ephemeral?.events.find(({ type, content }) => type === "m.receipt" && eventId in content),
    );
  });
  const presenceMs = await timed(async () => {
    await alice.setPresence("unavailable", scene.marker);
    await bob.until("Alice's presence", ARRIVE_MS, ({ presence }) =>
      presence?.events.find(({ sender, content }) => sender === alice.userId && content["status_msg"] === scene.marker),
    );
  });
  return {
    text: `typing ${time(typingMs)}, receipt ${time(receiptMs)}, presence ${time(presenceMs)}`,
    figures: { typingMs, receiptMs, presenceMs },
  };
}

/** Names here have 52 characters of key: enough of one to tell it from others. */
function shortId({ userId }: MatrixClient): string {
  const [user, server = ""] = userId.split(":");
  return `${user}:${server.slice(0, 6)}…${server.slice(server.indexOf("."))}`;
}
