/** Holds the thread, as a long collection or a stopped process does. */
export function stall(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}
