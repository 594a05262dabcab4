import type { MatrixClient } from "../matrix-client.js";
import { encryptedMessage } from "../steps/encrypted.js";
import { downloadFile, upload } from "../steps/media.js";
import { inviteAccepted, inviteRejected } from "../steps/rooms.js";
import { eventually, type Finding, megabytes, must, type Step, time, timed } from "../steps/step.js";
import { ARRIVE_MS, hasTexts, PASSWORD } from "../steps/talk.js";
import { bindings } from "./bound-homeserver.js";
import type { MixedStage } from "./mixed-stage.js";

const FILE_BYTES = 10_000_000;
/** The newest that Dendrite has is 11. */
export const ROOM_VERSION = "10";

/** What servers of both worlds do in one room. */
export const MIXED_STEPS: readonly Step<MixedStage>[] = [
  { title: "accounts on every homeserver", run: accounts },
  { title: "one room, joined by its alias from every homeserver", run: oneRoom },
  { title: "a room of each homeserver, joined by its alias from across", run: aliasesAcross },
  { title: "a classic name bound to its node", run: nameBound },
  { title: "messages of all to all, in order, once", run: (stage) => messagesOfAll(stage, 20) },
  { title: "end-to-end encrypted direct messages across", run: (stage) => eachCrossing(stage, encryptedMessage) },
  { title: "files across, the same on both sides", run: files },
  { title: "invitations across, accepted", run: (stage) => eachCrossing(stage, inviteAccepted) },
  { title: "invitations across, rejected", run: (stage) => eachCrossing(stage, inviteRejected) },
];

/** Alice and Bob have an account on each. */
async function accounts(stage: MixedStage): Promise<Finding> {
  const parties = [];
  for (const homeserver of stage.homeservers) {
    const [alice, bob] = [await homeserver.register("alice", PASSWORD), await homeserver.register("bob", PASSWORD)];
    parties.push({ homeserver, alice, bob });
  }
  stage.parties = parties;
  return { text: parties.map(({ homeserver }) => homeserver.label).join(", "), figures: { servers: parties.length } };
}

/** A room of A's, into which a Bob of every other homeserver comes. */
async function oneRoom(stage: MixedStage): Promise<Finding> {
  const [first, ...others] = stage.homeservers;
  const { alice } = stage.party(first!);
  stage.roomId = await alice.createRoom({
    name: "Hall",
    room_alias_name: "hall",
    preset: "public_chat",
    room_version: ROOM_VERSION,
  });
  const durationMs = await timed(async () => {
    for (const homeserver of others)
      await joinsByAlias(stage.party(homeserver).bob, `#hall:${first!.name}`, stage.roomId);
    await haveMembers(stage, stage.roomId);
  });
  const text = `${stage.homeservers.length} homeservers, room version ${ROOM_VERSION}, all see all after ${time(durationMs)}`;
  return { text, figures: { servers: stage.homeservers.length, durationMs } };
}

/** Waits until every homeserver of a room sees everybody in it. */
async function haveMembers(stage: MixedStage, roomId: string): Promise<void> {
  const members = membersOf(stage);
  for (const reader of members) {
    await eventually(`${reader.userId} sees all members`, ARRIVE_MS, async () => {
      const found = await reader.joinedMembers(roomId);
      return members.every(({ userId }) => found.includes(userId)) || undefined;
    });
  }
}

/** Who is in the room that all share. */
function membersOf(stage: MixedStage): MatrixClient[] {
  const [first, ...others] = stage.homeservers;
  return [stage.party(first!).alice, ...others.map((homeserver) => stage.party(homeserver).bob)];
}

async function joinsByAlias(client: MatrixClient, alias: string, roomId: string): Promise<void> {
  must((await client.join(alias)) === roomId, `${client.userId} joined another room`);
}

async function aliasesAcross(stage: MixedStage): Promise<Finding> {
  const times: number[] = [];
  for (const [index, { a, alice, bob }] of stage.crossings().entries()) {
    const name = `parlour${index}`;
    const roomId = await alice.createRoom({ room_alias_name: name, preset: "public_chat", room_version: ROOM_VERSION });
    times.push(await timed(() => joinsByAlias(bob, `#${name}:${a.name}`, roomId)));
  }
  return { text: `${times.length} joins, ${times.map(time).join(", ")}`, figures: { joins: times.length } };
}

/** Nodes that have met the classic homeserver with a node of its own know which that is, and reach it by the mesh. */
async function nameBound({ nodes, bound }: MixedStage): Promise<Finding> {
  for (const node of nodes) {
    const said = await bindings(node);
    const line = said.split("\n").find((each) => each.includes(bound.name)) ?? "";
    must(/ bound /.test(line), `${node.label} says of ${bound.name}: ${said}`);
  }
  return { text: `A and B reach ${bound.name} by its node`, figures: {} };
}

/** All send at the same time; then every homeserver has all of everybody's, in the order they were sent in, once. */
export async function messagesOfAll(stage: MixedStage, count: number, withinMs = ARRIVE_MS): Promise<Finding> {
  const members = membersOf(stage);
  const topic = `${stage.marker} ${Math.random().toString(36).slice(2)}`;
  const durationMs = await timed(async () => {
    const sent = await Promise.all(members.map((sender) => sendTexts(sender, stage.roomId, topic, count)));
    for (const reader of members) {
      for (const [index, sender] of members.entries()) {
        await hasTexts(reader, stage.roomId, sender, sent[index]!, withinMs).catch((error: Error) => {
          throw new Error(`${reader.userId} and ${sender.userId}: ${error.message}`, { cause: error });
        });
      }
    }
  });
  const messages = count * members.length;
  return {
    text: `${messages} messages, all at all ${members.length} after ${time(durationMs)}`,
    figures: { messages, durationMs },
  };
}

/** Sends texts one after another; gives them. */
export async function sendTexts(sender: MatrixClient, roomId: string, topic: string, count: number): Promise<string[]> {
  const texts = Array.from({ length: count }, (_, index) => `${topic} ${sender.userId} ${index + 1}`);
  for (const text of texts) await sender.sendText(roomId, text);
  return texts;
}

/** A step of two homeservers for each way across. */
export async function eachCrossing(
  stage: MixedStage,
  run: (scene: ReturnType<MixedStage["scene"]>) => Promise<Finding>,
): Promise<Finding> {
  const crossings = stage.crossings();
  const times: number[] = [];
  for (const scene of crossings) {
    try {
      times.push(await timed(() => run(scene)));
    } catch (error) {
      throw new Error(`${scene.a.label} to ${scene.b.label}: ${(error as Error).message}`, { cause: error });
    }
  }
  const ways = crossings.map(({ a, b }, index) => `${a.label} to ${b.label} ${time(times[index]!)}`);
  return { text: ways.join(", "), figures: { crossings: crossings.length } };
}

function files(stage: MixedStage): Promise<Finding> {
  return eachCrossing(stage, async ({ alice, bob }) => {
    const { mxc, sha256 } = await upload(alice, FILE_BYTES);
    const { durationMs } = await downloadFile(bob, mxc, sha256);
    return { text: megabytes(FILE_BYTES), figures: { durationMs } };
  });
}
