import { LRUCache } from "lru-cache";
import { Budget } from "../wire/budget.js";
import type { SessionConfig } from "./config.js";
import type { EndpointStats } from "./stats.js";

/** A budget of handshakes for each ingress, so that a flood from one leaves the others theirs. */
export class HandshakeRate {
  readonly #config: SessionConfig;
  readonly #budgets: LRUCache<number, Budget>;

  constructor(config: SessionConfig, stats: EndpointStats) {
    this.#config = config;
    this.#budgets = new LRUCache({
      max: config.ingressesMax,
      dispose: (_budget, _port, reason) => {
        if (reason === "evict") stats.ingressesEvicted++;
      },
    });
  }

  /** True where this ingress may bring one more handshake, which is then counted. */
  take(ingressPort: number, nowMs: number): boolean {
    let budget = this.#budgets.get(ingressPort);
    if (budget === undefined) {
      budget = new Budget(this.#config.handshakesPerSecond, this.#config.handshakesBurst, nowMs);
      this.#budgets.set(ingressPort, budget);
    }
    return budget.take(nowMs);
  }
}
