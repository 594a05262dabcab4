import { randomBytes } from "node:crypto";
import { dataHeaderBytes, writeDataHeader } from "../../../src/wire/data.js";
import { nameToKey } from "../../../src/wire/name.js";
import type { PlantOrder } from "../plant-node.js";
import type { Relay } from "../relay.js";
import type { Stage } from "../stage.js";
import { eventually, type Finding, megabytes, must } from "./step.js";

/** The search is over at least so many bytes of frames. */
export const SEARCHED_BYTES_MIN = 50_000_000;
const PLANT_MS = 10_000;

/** A text that A sent to B in the clear, by way of a relay. */
export interface Planted {
  readonly relay: Relay;
  readonly text: string;
}

/** Has A send a frame to B whose payload anybody can read, by a relay; waits until it has passed there. */
export async function plantFrame(stage: Stage, relay: Relay): Promise<void> {
  const { nodeA, nodeB } = stage;
  const port = await relay.portTo(nodeB);
  const text = `planted-${randomBytes(8).toString("hex")}`;
  const payload = Buffer.from(`Anybody can read this: ${text}`);
  // A's own step is taken by choosing the link, so the route begins at the relay.
  const frame = Buffer.concat([Buffer.alloc(dataHeaderBytes(1)), payload]);
  writeDataHeader(frame, [port], randomBytes(8), nameToKey(nodeB.name)!);
  const order: PlantOrder = { remote: relay.address, frameBase64: frame.toString("base64") };
  nodeA.process!.send(order);
  await eventually("the planted frame", PLANT_MS, async () => relay.captured().includes(text) || undefined);
  stage.planted = { relay, text };
}

/** What the relay got to see, searched for what people wrote. The search must find the planted text, or it shows nothing. */
export async function whatRelaySaw({ marker, alice, planted }: Stage): Promise<Finding> {
  must(planted !== undefined, "no frame was planted");
  const captured = planted.relay.captured();
  must(captured.length >= SEARCHED_BYTES_MIN, `R1 saw ${megabytes(captured.length)}, too little to search`);
  must(captured.includes(planted.text), "the search does not find the planted frame");
  for (const text of [marker, alice.userId]) must(!captured.includes(text), `R1 could read ${text}`);
  return {
    text: `${megabytes(captured.length)} searched: the planted text is there, no text or name of Alice's is`,
    figures: { searchedBytes: captured.length, plantedFound: 1, sentFound: 0 },
  };
}
