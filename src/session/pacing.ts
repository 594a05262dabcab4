import type { SessionConfig } from "./config.js";
import { GRANULARITY_MS } from "./rtt.js";

/** The congestion window goes out this much faster than one a round trip, so that the pacer is not what limits (RFC 9002 7.7). */
const RATE_FACTOR = 1.25;
/** Packets that may always go at once (RFC 9002 7.7: the initial window). */
const BURST_PACKETS = 10;

/** Spreads packets over the round trip: a bucket of bytes that fills at the send rate. */
export class Pacer {
  readonly #config: SessionConfig;
  #tokens = Number.POSITIVE_INFINITY;
  #filledMs = 0;

  constructor(config: SessionConfig) {
    this.#config = config;
  }

  /** When a packet of this size may go: `nowMs` or earlier means now. */
  readyMs(packetBytes: number, windowBytes: number, rttMs: number, nowMs: number): number {
    const { packetBytes: firstBytes, pacingBurstMs } = this.#config;
    const bytesPerMs = (RATE_FACTOR * windowBytes) / Math.max(rttMs, GRANULARITY_MS);
    const capacity = Math.max(BURST_PACKETS * firstBytes, packetBytes, bytesPerMs * pacingBurstMs);
    this.#tokens = Math.min(capacity, this.#tokens + bytesPerMs * (nowMs - this.#filledMs));
    this.#filledMs = nowMs;
    if (this.#tokens >= packetBytes) return nowMs;
    return nowMs + Math.max((packetBytes - this.#tokens) / bytesPerMs, GRANULARITY_MS);
  }

  spend(sizeBytes: number): void {
    this.#tokens -= sizeBytes;
  }
}
