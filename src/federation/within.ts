import { FederationError } from "./errors.js";
import type { Timers } from "./overlay.js";

/** Throws `PINYON_TIMEOUT` where something takes longer; it goes on unheard. */
export function within<T>(work: Promise<T>, timeoutMs: number, timers: Timers): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = timers.after(timeoutMs, () => reject(new FederationError("PINYON_TIMEOUT")));
    work.then(resolve, reject).finally(cancel);
  });
}
