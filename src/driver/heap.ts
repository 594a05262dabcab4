import { setFlagsFromString } from "node:v8";

/**
 * Lets the heap of this process grow to five times of what was left by the last full collection before the next one begins. V8 counts
 * buffers of short life in what has grown, up to 64 MB of them, and the heap of a daemon is 20 MB: by its own rule it marks all of that
 * thirty times a second while a stream passes, which costs as much CPU as the stream itself.
 */
export function letHeapGrow(): void {
  setFlagsFromString("--heap-growing-percent=400");
}
