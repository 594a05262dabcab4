import { randomBytes } from "node:crypto";
import type { Json, MatrixClient } from "../matrix-client.js";
import type { Scene } from "../stage.js";
import { eventually, type Finding, must } from "./step.js";
import { ARRIVE_MS, PASSWORD } from "./talk.js";

/** Alice asks for the keys of Bob's device, and claims its only one-time key, which is given once. */
export async function keysQueryAndClaim({ alice, bob }: Scene): Promise<Finding> {
  const { userId, deviceId } = bob;
  const algorithm = "signed_curve25519";
  const oneTimeKey = { key: randomBytes(32).toString("base64"), signatures: {} };
  await bob.keysUpload({ device_keys: deviceKeys(bob), one_time_keys: { [`${algorithm}:AAAAAA`]: oneTimeKey } });
  await hasDevice(alice, bob);
  const claim = async () => (await alice.keysClaim({ [userId]: { [deviceId]: algorithm } })).one_time_keys[userId];
  const [first, second] = [await claim(), await claim()];
  const given = first?.[deviceId]?.[`${algorithm}:AAAAAA`] as { key?: string } | undefined;
  must(given?.key === oneTimeKey.key, "the one-time key was not given");
  must(second?.[deviceId] === undefined, "the one-time key was given twice");
  return { text: "keys found, the one-time key given once", figures: {} };
}

/** Alice is told that Bob has another device; she finds it. */
export async function deviceLists({ alice, bob }: Scene): Promise<Finding> {
  await alice.sync();
  const device = await bob.login("bob", PASSWORD);
  await device.keysUpload({ device_keys: deviceKeys(device) });
  await alice.until("a change of Bob's devices", ARRIVE_MS, ({ device_lists }) =>
    device_lists?.changed?.find((userId) => userId === bob.userId),
  );
  await hasDevice(alice, device);
  return { text: "Alice is told of the new device, and finds it", figures: {} };
}

/** What Alice sends to a device of Bob's comes there, once. */
export async function toDevice(scene: Scene): Promise<Finding> {
  await scene.bob.sync();
  await sendNotes(scene, [1, 2]);
  await takeNotes(scene, [1, 2]);
  return { text: "two notes, in order, once", figures: {} };
}

const NOTE = "org.pinyon.note";

/** Has Alice send numbered notes to Bob's device. */
export async function sendNotes({ alice, bob }: Scene, numbers: readonly number[]): Promise<void> {
  for (const number of numbers) await alice.sendToDevice(NOTE, { [bob.userId]: { [bob.deviceId]: { number } } });
}

/** Waits until the last of these notes is at Bob's device; then they all must have come, in order, once. */
export async function takeNotes({ bob }: Scene, numbers: readonly number[], withinMs = ARRIVE_MS): Promise<void> {
  const came: unknown[] = [];
  await bob.until("the last note", withinMs, ({ to_device }) => {
    const notes = to_device?.events.filter(({ type }) => type === NOTE) ?? [];
    came.push(...notes.map(({ content }) => content["number"]));
    return came.includes(numbers.at(-1)) || undefined;
  });
  must(came.join() === numbers.join(), `the notes ${came.join()} came, of ${numbers.join()}`);
}

/** Waits until a homeserver knows the keys of a device: it keeps what it knows of those whom its users meet, and is told of changes. */
async function hasDevice(asking: MatrixClient, { userId, deviceId }: MatrixClient): Promise<void> {
  await eventually(`${asking.label} finds the keys of a device`, ARRIVE_MS, async () => {
    const { device_keys } = await asking.keysQuery({ [userId]: [] });
    return device_keys[userId]?.[deviceId];
  });
}

/** Keys as a device publishes them; homeservers pass them on and look at none. */
function deviceKeys({ userId, deviceId }: MatrixClient): Json {
  const key = () => randomBytes(32).toString("base64").replace(/=+$/, "");
  return {
    user_id: userId,
    device_id: deviceId,
    algorithms: ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
    keys: { [`curve25519:${deviceId}`]: key(), [`ed25519:${deviceId}`]: key() },
    signatures: { [userId]: { [`ed25519:${deviceId}`]: key() } },
  };
}
