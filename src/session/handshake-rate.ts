import { LRUCache } from "lru-cache";
import { SharedBudget } from "../wire/budget.js";
import type { SessionConfig } from "./config.js";
import type { EndpointStats } from "./stats.js";

/**
 * A budget of handshakes for each ingress, so that a flood from one leaves the others theirs. Those who come by one ingress share its
 * budget by the port before it, so that a flood from behind a relay leaves the others behind that relay theirs.
 */
export class HandshakeRate {
  readonly #config: SessionConfig;
  readonly #budgets: LRUCache<number, SharedBudget>;

  constructor(config: SessionConfig, stats: EndpointStats) {
    this.#config = config;
    this.#budgets = new LRUCache({
      max: config.ingressesMax,
      dispose: (_budget, _port, reason) => {
        if (reason === "evict") stats.ingressesEvicted++;
      },
    });
  }

  /**
   * True where this ingress may bring one more handshake, which is then counted. `portBefore` is the port by which it came to the
   * neighbour, in the neighbour's own word; 0 where it came from the neighbour itself or nobody knows.
   */
  take(ingressPort: number, portBefore: number, nowMs: number): boolean {
    let budget = this.#budgets.get(ingressPort);
    if (budget === undefined) {
      budget = new SharedBudget(this.#config.handshakesPerSecond, this.#config.handshakesBurst, nowMs);
      this.#budgets.set(ingressPort, budget);
    }
    return budget.take(portBefore, nowMs);
  }
}
