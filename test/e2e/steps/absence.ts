import type { Stage } from "../stage.js";
import { type Finding, pause, time } from "./step.js";
import { hasTexts, sendTexts } from "./talk.js";

const MESSAGES = 10;
/** Synapse asks again every 5 s with what `pinyon homeserver connect` writes, at its earliest. */
const RETURN_MS = 60_000;

/** B's node and homeserver are stopped, as when their machine is off, while Alice sends; all is there soon after their return. */
export async function peerStopped(stage: Stage, awayMs = 120_000): Promise<Finding> {
  const { b, nodeB, alice, bob, roomId } = stage;
  await Promise.all([b.stop(), nodeB.end("SIGTERM")]);
  const backMs = performance.now() + awayMs;
  const texts = await sendTexts(stage, alice, MESSAGES, "meanwhile");
  await pause(backMs - performance.now());
  const startedMs = performance.now();
  nodeB.start();
  await Promise.all([nodeB.ready(), b.start()]);
  const upMs = performance.now();
  await hasTexts(bob, roomId, alice, texts, RETURN_MS);
  const doneMs = performance.now();
  const [sinceUpMs, sinceStartMs] = [doneMs - upMs, doneMs - startedMs];
  return {
    text: `all there ${time(sinceStartMs)} after its node and Synapse were started`,
    figures: { messages: MESSAGES, awayMs, sinceUpMs, sinceStartMs },
  };
}
