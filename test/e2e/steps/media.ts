import { createHash, randomBytes } from "node:crypto";
import type { MatrixClient } from "../matrix-client.js";
import type { Scene, Stage } from "../stage.js";
import { plantFrame, SEARCHED_BYTES_MIN } from "./sight.js";
import { type Finding, megabytes, must, time } from "./step.js";
import { hasTexts, sendTexts } from "./talk.js";

export const FILE_BYTES = 50_000_000;
/** A relay is killed when it has carried so much of a file. */
const KILL_AT_BYTES = 10_000_000;
/** Files sent until one comes all by one relay up to where that is killed: a route may change for a better one at any time. */
const ATTEMPTS_MAX = 5;
/** For a file to come over federation; Synapse gives up after a minute without a byte. */
const TRANSFER_MS = 120_000;

/** Alice uploads a file to her homeserver; Bob gets the same bytes from his. */
export async function mediaFile(scene: Scene): Promise<Finding> {
  const { mxc, sha256 } = await uploadFile(scene);
  const { durationMs } = await downloadFile(scene.bob, mxc, sha256);
  const text = `in ${time(durationMs)}, SHA-256 ${sha256.slice(0, 8)}… on both sides`;
  return { text, figures: { sizeBytes: FILE_BYTES, durationMs } };
}

/** The relay that carries a file is killed in the middle of it; the rest comes by the other one. */
export async function relayKilled(stage: Stage): Promise<Finding> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const finding = await killInMidFile(stage, attempt);
    if (finding !== undefined) return finding;
  }
  throw new Error(
    `the way from A to B changed in the middle of each of ${ATTEMPTS_MAX} files, so that no one relay was to be killed`,
  );
}

/** Undefined where no relay was killed, because it had not carried all until then, or has not seen enough to be searched later. */
async function killInMidFile(stage: Stage, attempt: number): Promise<Finding | undefined> {
  const { nodeB, alice, bob, roomId } = stage;
  const { carrier, other } = await stage.carrier();
  await plantFrame(stage, carrier);
  const [byCarrier, byOther] = [carrier, other].map((relay) => {
    const before = relay.carriedBytesTo(nodeB);
    return () => relay.carriedBytesTo(nodeB) - before;
  }) as [() => number, () => number];
  // Where the other relay carries nothing meanwhile, this text passes the one that is killed, which is to be searched for it.
  await hasTexts(bob, roomId, alice, await sendTexts(stage, alice, 1, `by R1, ${attempt}`));
  const { mxc, sha256 } = await uploadFile(stage);
  let isKilled = false;
  carrier.onReport = () => {
    if (byCarrier() < KILL_AT_BYTES) return;
    carrier.onReport = () => {};
    isKilled = byOther() === 0 && carrier.capturedBytes >= SEARCHED_BYTES_MIN;
    if (isKilled) void carrier.node.end("SIGKILL");
  };
  const { durationMs } = await downloadFile(bob, mxc, sha256);
  if (!isKilled) return undefined;
  const [byR1Bytes, byR2Bytes] = [byCarrier(), byOther()];
  must(byR2Bytes > 0, "R2 carried nothing after R1 was killed");
  return {
    text: `R1 carried ${megabytes(byR1Bytes)}, then R2 ${megabytes(byR2Bytes)}; the same SHA-256 after ${time(durationMs)}`,
    figures: { byR1Bytes, byR2Bytes, durationMs },
  };
}

export async function uploadFile({ alice, roomId }: Scene): Promise<Upload> {
  const file = await upload(alice, FILE_BYTES);
  await alice.send(roomId, "m.room.message", { msgtype: "m.file", body: "file", url: file.mxc });
  return file;
}

export interface Upload {
  readonly mxc: string;
  readonly sha256: string;
}

/** A file of random bytes, uploaded to a user's homeserver. */
export async function upload(client: MatrixClient, sizeBytes: number): Promise<Upload> {
  const file = randomBytes(sizeBytes);
  const mxc = await client.upload(file, { timeoutMs: TRANSFER_MS });
  return { mxc, sha256: createHash("sha256").update(file).digest("hex") };
}

export async function downloadFile(client: MatrixClient, mxc: string, sha256: string): Promise<{ durationMs: number }> {
  const startedMs = performance.now();
  const hash = createHash("sha256");
  for await (const chunk of client.download(mxc, TRANSFER_MS)) hash.update(chunk);
  must(hash.digest("hex") === sha256, "the file that came is not the one that was sent");
  return { durationMs: performance.now() - startedMs };
}
