import type { Timers } from "../link/link.js";
import { STALL_MS } from "./config.js";

/** The longest delay of the platform's timers, in ms: 24.8 days. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/**
 * Real time. After a stall (a suspended process, a long collection) every timer is due at once, before the bytes that arrived
 * meanwhile were seen; a timer that is more than `STALL_MS` late therefore lets input be handled first, so that a busy machine does
 * not declare its links dead. A negative delay counts as that much lateness. Longer delays than 24.8 days are cut to that.
 */
export class Clock implements Timers {
  nowMs(): number {
    return performance.now();
  }

  after(delayMs: number, callback: () => void): () => void {
    const dueMs = this.nowMs() + delayMs;
    let draining: NodeJS.Immediate | undefined;
    const timer = setTimeout(
      () => {
        if (this.nowMs() - dueMs <= STALL_MS) return callback();
        // The first immediate may come before the loop polled for input, the second cannot.
        draining = setImmediate(() => {
          draining = setImmediate(callback);
        });
      },
      Math.min(Math.ceil(delayMs), DELAY_MS_MAX),
    );
    return () => {
      clearTimeout(timer);
      clearImmediate(draining);
    };
  }
}
