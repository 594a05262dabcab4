import type { SessionConfig } from "./config.js";
import { GRANULARITY_MS } from "./rtt.js";

/** The congestion window goes out this much faster than one a round trip, so that the pacer is not what limits (RFC 9002 7.7). */
const RATE_FACTOR = 1.25;
/** Packets that may always go at once (RFC 9002 7.7: the initial window). */
const BURST_PACKETS = 10;

/** What a busy machine may be late with a timer, in ms, and the bytes of that time are not lost. */
const LATE_MS_MAX = 30;

/** Spreads packets over the round trip: a bucket of bytes that fills at the send rate. */
export class Pacer {
  readonly #config: SessionConfig;
  #tokens = 0;
  #filledMs = Number.NEGATIVE_INFINITY;
  /** When the packet that waits may go; Infinity where none does. */
  #readyMs = Number.POSITIVE_INFINITY;

  constructor(config: SessionConfig) {
    this.#config = config;
  }

  /** When a packet of this size may go: `nowMs` or earlier means now. */
  readyMs(packetBytes: number, windowBytes: number, rttMs: number, nowMs: number): number {
    const { packetBytes: firstBytes, pacingBurstMs } = this.#config;
    const bytesPerMs = (RATE_FACTOR * windowBytes) / Math.max(rttMs, GRANULARITY_MS);
    // Who asks late for what waits gets what would have gone meanwhile: else a process that gets its turn every 20 ms sends a fifth.
    const lateMs = Math.min(Math.max(nowMs - this.#readyMs, 0), LATE_MS_MAX);
    const capacity = Math.max(BURST_PACKETS * firstBytes, packetBytes, bytesPerMs * (pacingBurstMs + lateMs));
    const filled = Math.min(capacity, this.#tokens + bytesPerMs * (nowMs - this.#filledMs));
    this.#tokens = Math.max(this.#tokens, filled);
    this.#filledMs = nowMs;
    const isReady = this.#tokens >= packetBytes;
    this.#readyMs = isReady
      ? Number.POSITIVE_INFINITY
      : nowMs + Math.max((packetBytes - this.#tokens) / bytesPerMs, GRANULARITY_MS);
    return isReady ? nowMs : this.#readyMs;
  }

  spend(sizeBytes: number): void {
    this.#tokens -= sizeBytes;
  }
}
