import type { Duplex } from "node:stream";
import type { Timers } from "./overlay.js";

/**
 * Makes one way of two: what comes by one goes out by the other, as fast as that takes it, and so does the end of either side. Both are
 * destroyed where one breaks, where nothing passed for `idleMs`, or where `mayPass`, told of each piece's bytes, says no. Resolves, and never
 * rejects, when it is over.
 */
export function join(
  one: Duplex,
  other: Duplex,
  idleMs: number,
  timers: Timers,
  mayPass: (sizeBytes: number) => boolean = () => true,
): Promise<void> {
  let lastMs = timers.nowMs();
  let cancel = () => {};
  const arm = (delayMs: number) => {
    cancel = timers.after(delayMs, () => {
      const leftMs = lastMs + idleMs - timers.nowMs();
      if (leftMs > 0) arm(leftMs);
      else cut();
    });
  };
  const cut = () => {
    one.destroy();
    other.destroy();
  };
  arm(idleMs);
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on("data", (chunk: Uint8Array) => {
      lastMs = timers.nowMs();
      if (!mayPass(chunk.length)) cut();
    });
    from.on("error", () => to.destroy());
    from.once("close", () => endAfter(from, to));
    from.pipe(to);
    if (from.destroyed) to.destroy();
  }
  const closed = [one, other].map((each) => new Promise<void>((resolve) => each.once("close", resolve)));
  return Promise.all(closed).then(() => cancel());
}

/** What came before its end still goes out. */
function endAfter(from: Duplex, to: Duplex): void {
  if (!from.readableEnded || to.writableFinished) to.destroy();
  else to.once("finish", () => to.destroy());
}
