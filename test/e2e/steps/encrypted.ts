import { EncryptedClient } from "../encryption.js";
import type { Scene } from "../stage.js";
import { type Finding, must, time } from "./step.js";
import { PASSWORD } from "./talk.js";

const READ_MS = 30_000;

/** In a direct room Bob reads what Alice wrote, with keys that only their devices have; neither homeserver holds the text. */
export async function encryptedMessage(scene: Scene): Promise<Finding> {
  // Devices of their own: what is synced for a device comes once.
  const [alice, bob] = await Promise.all([
    scene.alice.login("alice", PASSWORD).then(EncryptedClient.open),
    scene.bob.login("bob", PASSWORD).then(EncryptedClient.open),
  ]);
  const roomId = await alice.client.createRoom({
    preset: "trusted_private_chat",
    is_direct: true,
    invite: [bob.client.userId],
    initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
  });
  await bob.client.join(roomId, [scene.a.name]);
  await Promise.all([alice.sync(), bob.sync()]);
  const startedMs = performance.now();
  const text = `${scene.marker} for your eyes only`;
  const [texts] = await Promise.all([bob.receive(1, READ_MS), alice.sendText(roomId, text)]);
  const durationMs = performance.now() - startedMs;
  must(texts[0] === text, "Bob reads another text");
  const sent = (await bob.client.messages(roomId)).find(({ type }) => type === "m.room.encrypted");
  must(sent !== undefined && !JSON.stringify(sent).includes(scene.marker), "the event holds the text in the clear");
  return { text: `read by Bob's device alone after ${time(durationMs)}`, figures: { durationMs } };
}
