import type { Json, MatrixClient } from "../matrix-client.js";
import type { Scene } from "../stage.js";
import { eventually, type Finding, must, timed } from "./step.js";
import { ARRIVE_MS, hasTexts } from "./talk.js";

/** Bob is invited and joins. */
export async function inviteAccepted(scene: Scene): Promise<Finding> {
  const { alice, bob } = scene;
  const roomId = await invitedRoom(scene);
  await bob.join(roomId, [scene.a.name]);
  await hasMembership(alice, roomId, bob, "join");
  return { text: "Alice sees Bob in the room", figures: {} };
}

/** Bob is invited and rejects. */
export async function inviteRejected(scene: Scene): Promise<Finding> {
  const roomId = await invitedRoom(scene);
  await scene.bob.leave(roomId);
  await hasMembership(scene.alice, roomId, scene.bob, "leave");
  return { text: "Alice sees that Bob does not come", figures: {} };
}

/** A room of Alice's into which Bob has an invitation that he sees. */
async function invitedRoom({ alice, bob }: Scene): Promise<string> {
  await bob.sync();
  const roomId = await alice.createRoom({ preset: "private_chat", name: "Parlour" });
  await alice.invite(roomId, bob.userId);
  await bob.until("the invitation", ARRIVE_MS, ({ rooms }) => rooms?.invite?.[roomId]);
  return roomId;
}

/** Bob leaves a room, and is not in it any more on either side. */
export async function leave(scene: Scene): Promise<Finding> {
  const { alice, bob } = scene;
  const roomId = await joinedRoom(scene, {});
  await bob.leave(roomId);
  await hasMembership(alice, roomId, bob, "leave");
  const refusal = await bob.sendText(roomId, "too late").catch((error: Error) => error);
  must(refusal instanceof Error, "Bob sent into a room that he has left");
  return { text: "Alice sees Bob leave", figures: {} };
}

/** Bob knocks, is let in, and joins. */
export async function knock(scene: Scene): Promise<Finding> {
  const { alice, bob } = scene;
  const joinRule = { type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } };
  const roomId = await alice.createRoom({ preset: "private_chat", initial_state: [joinRule] });
  await bob.knock(roomId, [scene.a.name]);
  await hasMembership(alice, roomId, bob, "knock");
  await bob.sync();
  await alice.invite(roomId, bob.userId);
  await bob.until("the invitation", ARRIVE_MS, ({ rooms }) => rooms?.invite?.[roomId]);
  await bob.join(roomId, [scene.a.name]);
  await hasMembership(alice, roomId, bob, "join");
  return { text: "Alice sees Bob knock, and lets him in", figures: {} };
}

/** A room of a version: its rules of events and ids are others. */
export async function roomOfVersion(scene: Scene, version: string): Promise<Finding> {
  const { alice, bob } = scene;
  const roomId = await joinedRoom(scene, { room_version: version });
  const { room_version: found } = await bob.stateOf(roomId, "m.room.create");
  must(found === version, `the room is of version ${found}`);
  const durationMs = await timed(async () => {
    for (const [sender, reader] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const text = `${scene.marker} ${sender.label} in version ${version}`;
      await sender.sendText(roomId, text);
      await hasTexts(reader, roomId, sender, [text]);
    }
  });
  return { text: `a message each way in ${Math.round(durationMs)} ms`, figures: { durationMs } };
}

/** A room of Alice's that Bob has joined by its id, by way of A: the id of a room of version 12 names no server. */
export async function joinedRoom({ a, alice, bob }: Scene, options: Json): Promise<string> {
  const roomId = await alice.createRoom({ preset: "public_chat", ...options });
  await bob.join(roomId, [a.name]);
  return roomId;
}

/** Waits until a homeserver knows this membership of somebody. */
async function hasMembership(
  reader: MatrixClient,
  roomId: string,
  who: MatrixClient,
  membership: string,
): Promise<void> {
  await eventually(`${reader.label} sees ${membership} of ${who.label}`, ARRIVE_MS, async () => {
    const member = await reader.stateOf(roomId, "m.room.member", who.userId);
    return member["membership"] === membership ? member : undefined;
  });
}
