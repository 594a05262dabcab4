import { createHash, randomBytes } from "node:crypto";
import type { MatrixClient } from "../matrix-client.js";
import type { Scene, Stage } from "../stage.js";
import { type Finding, must, time } from "./step.js";

export const FILE_BYTES = 50_000_000;
/** A relay is killed when it has carried so much of a file. */
const KILL_AT_BYTES = 10_000_000;
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
  const { mxc, sha256 } = await uploadFile(stage);
  const { carrier, other } = await stage.carrier();
  const carriedBefore = carrier.carriedBytesTo(stage.nodeB);
  const otherBefore = other.carriedBytesTo(stage.nodeB);
  const carried = () => carrier.carriedBytesTo(stage.nodeB) - carriedBefore;
  const byOther = () => other.carriedBytesTo(stage.nodeB) - otherBefore;
  let otherAtKill: number | undefined;
  carrier.onReport = () => {
    if (otherAtKill !== undefined || carried() < KILL_AT_BYTES) return;
    otherAtKill = byOther();
    void carrier.node.end("SIGKILL");
  };
  const { durationMs } = await downloadFile(stage.bob, mxc, sha256);
  must(
    otherAtKill !== undefined,
    `R1 carried ${megabytes(carried())} of the file, too little to be killed in the middle`,
  );
  must(otherAtKill === 0, `R2 had carried ${megabytes(otherAtKill)} when R1 was killed`);
  must(byOther() > 0, "R2 carried nothing after R1 was killed");
  return {
    text: `R1 carried ${megabytes(carried())}, then R2 ${megabytes(byOther())}; the same SHA-256 after ${time(durationMs)}`,
    figures: { byR1Bytes: carried(), byR2BeforeBytes: otherAtKill, byR2AfterBytes: byOther(), durationMs },
  };
}

export async function uploadFile({ alice, roomId }: Scene): Promise<{ mxc: string; sha256: string }> {
  const file = randomBytes(FILE_BYTES);
  const mxc = await alice.upload(file, { timeoutMs: TRANSFER_MS });
  await alice.send(roomId, "m.room.message", { msgtype: "m.file", body: "file", url: mxc });
  return { mxc, sha256: createHash("sha256").update(file).digest("hex") };
}

export async function downloadFile(client: MatrixClient, mxc: string, sha256: string): Promise<{ durationMs: number }> {
  const startedMs = performance.now();
  const hash = createHash("sha256");
  for await (const chunk of client.download(mxc, TRANSFER_MS)) hash.update(chunk);
  must(hash.digest("hex") === sha256, "the file that came is not the one that was sent");
  return { durationMs: performance.now() - startedMs };
}

export function megabytes(sizeBytes: number): string {
  return `${(sizeBytes / 1e6).toFixed(1)} MB`;
}
