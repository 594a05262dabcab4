import { LRUCache } from "lru-cache";
import type { SessionConfig } from "./config.js";
import type { EndpointStats } from "./stats.js";

/** A bucket of handshakes for each ingress, so that a flood from one leaves the others theirs. */
export class HandshakeRate {
  readonly #config: SessionConfig;
  readonly #buckets: LRUCache<number, { tokens: number; filledMs: number }>;

  constructor(config: SessionConfig, stats: EndpointStats) {
    this.#config = config;
    this.#buckets = new LRUCache({
      max: config.ingressesMax,
      dispose: (_bucket, _port, reason) => {
        if (reason === "evict") stats.ingressesEvicted++;
      },
    });
  }

  /** True where this ingress may bring one more handshake, which is then counted. */
  take(ingressPort: number, nowMs: number): boolean {
    const { handshakesBurst, handshakesPerSecond } = this.#config;
    let bucket = this.#buckets.get(ingressPort);
    if (bucket === undefined) {
      bucket = { tokens: handshakesBurst, filledMs: nowMs };
      this.#buckets.set(ingressPort, bucket);
    }
    const refill = ((nowMs - bucket.filledMs) * handshakesPerSecond) / 1000;
    bucket.tokens = Math.min(handshakesBurst, bucket.tokens + refill);
    bucket.filledMs = nowMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}
