import type { Scene } from "../stage.js";
import { eventually, type Finding, must } from "./step.js";
import { ARRIVE_MS } from "./talk.js";

/** Bob finds a room of Alice's in what A publishes. */
export async function publicRooms({ a, alice, bob }: Scene): Promise<Finding> {
  const roomId = await alice.createRoom({ preset: "public_chat", visibility: "public", name: "Market" });
  // A search is answered anew each time, a list is kept for half a minute; and A counts a room some time after it is made.
  await eventually("the room in what A publishes", ARRIVE_MS, async () => {
    const rooms = await bob.publicRooms(a.name, "Market");
    return rooms.find(({ room_id }) => room_id === roomId);
  });
  return { text: "found by a search on A", figures: {} };
}

/** Bob sees what Alice calls herself, by asking A and in the room that they share. */
export async function profile({ alice, bob, roomId }: Scene): Promise<Finding> {
  const name = "Alice in the mesh";
  await alice.setDisplayName(name);
  must((await bob.profile(alice.userId)).displayname === name, "A's answer has another name");
  await eventually("the name in the room", ARRIVE_MS, async () => {
    const { displayname } = await bob.stateOf(roomId, "m.room.member", alice.userId);
    return displayname === name || undefined;
  });
  return { text: "asked for, and in the room", figures: {} };
}

/** Bob is told what is in a space, also of a room that his homeserver is not in. */
export async function space({ a, alice, bob }: Scene): Promise<Finding> {
  const child = await alice.createRoom({ preset: "public_chat", name: "Corner" });
  const parent = await alice.createRoom({
    preset: "public_chat",
    name: "House",
    creation_content: { type: "m.space" },
    initial_state: [{ type: "m.space.child", state_key: child, content: { via: [a.name] } }],
  });
  await bob.join(parent, [a.name]);
  const rooms = await bob.hierarchy(parent);
  must(rooms.find(({ room_id }) => room_id === parent)?.room_type === "m.space", "the space is not there");
  must(rooms.find(({ room_id }) => room_id === child)?.name === "Corner", "the room in it is not there");
  return { text: `${rooms.length} rooms`, figures: { rooms: rooms.length } };
}
