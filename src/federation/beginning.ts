import type { Duplex } from "node:stream";
import type { Timers } from "./overlay.js";

/**
 * What a reader makes of the first bytes of a connection: what it found, and how many bytes that took away; "more" where its end is still
 * to come; undefined where it is nothing.
 */
export type Reading<T> = { readonly found: T; readonly takenBytes: number } | "more" | undefined;

/**
 * What a connection begins with, as `read` understands it. What it did not take away is put back. Undefined where it found nothing, where that
 * does not come in time, or the connection ends.
 */
export function awaitBeginning<T>(
  stream: Duplex,
  timeoutMs: number,
  timers: Timers,
  read: (bytes: Buffer) => Reading<T>,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    let seen: Buffer = Buffer.alloc(0);
    const end = (reading: Exclude<Reading<T>, "more">) => {
      cancel();
      stream.off("data", handleData).off("end", handleEnd).off("close", handleEnd).pause();
      const rest = reading === undefined ? seen.subarray(seen.length) : seen.subarray(reading.takenBytes);
      if (rest.length > 0) stream.unshift(rest);
      resolve(reading?.found);
    };
    const handleEnd = () => end(undefined);
    const handleData = (chunk: Buffer) => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const reading = read(seen);
      if (reading !== "more") end(reading);
    };
    const cancel = timers.after(timeoutMs, handleEnd);
    stream.on("data", handleData).on("end", handleEnd).on("close", handleEnd).resume();
    if (stream.destroyed) handleEnd();
  });
}
