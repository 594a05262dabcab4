import type { Readable } from "node:stream";
import { FederationError, federationErrorOf } from "./errors.js";
import { bodyError, type Passage } from "./exchange.js";
import type { Timers } from "./overlay.js";

/** An answer whose body is short. */
export interface WholeAnswer {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly body: Uint8Array;
}

/** A body as one piece. Throws `PINYON_TOO_LONG` where it has more than `bytesMax`, and `PINYON_BODY_BROKEN`. */
export async function readWhole(body: Readable, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      sizeBytes += chunk.length;
      if (sizeBytes > bytesMax) throw new FederationError("PINYON_TOO_LONG", `more than ${bytesMax} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw bodyError(error);
  }
  return Buffer.concat(chunks, sizeBytes);
}

/** Sends a short body and takes a short answer, all within `timeoutMs`. Rejects with a `FederationError`. */
export async function askWhole(
  passage: Passage,
  body: Uint8Array,
  bytesMax: number,
  timeoutMs: number,
  timers: Timers,
): Promise<WholeAnswer> {
  const cancel = timers.after(timeoutMs, () => passage.destroy(new FederationError("PINYON_TIMEOUT")));
  try {
    // A stream that was opened without a body takes no write, not even of nothing.
    if (body.length === 0) passage.body.end();
    else passage.body.end(body);
    const answer = await passage.answer;
    return { ...answer, body: await readWhole(answer.body, bytesMax) };
  } catch (thrown) {
    const error = federationErrorOf(thrown);
    passage.destroy(error);
    throw error;
  } finally {
    cancel();
  }
}
