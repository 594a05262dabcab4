import { LRUCache } from "lru-cache";
import { backOffMs } from "./back-off.js";
import { AWAY_BACK_OFF, AWAY_TRY_MS, DESTINATIONS_MAX, OUTAGE_MS } from "./config.js";
import { FederationError } from "./errors.js";
import type { Timers } from "./overlay.js";
import type { FederationStats } from "./stats.js";

/** A destination that cannot be reached. Times in ms on the clock of the timers. */
export interface Away {
  /** When the first of the failures in a row was seen. */
  readonly sinceMs: number;
  /** Nothing is tried before. */
  readonly retryMs: number;
}

interface Destination {
  readonly sinceMs: number;
  readonly failedMs: number;
  readonly failures: number;
  retryMs: number;
  /** True while one request tries it. */
  trying: boolean;
}

export interface ReachabilityOptions {
  readonly timers: Timers;
  /** 0 ≤ x < 1, for the jitter. */
  readonly random: () => number;
  readonly stats: FederationStats;
}

/** What is known of the destinations that cannot be reached, so that requests to them are answered at once and not after a search. */
export class Reachability {
  /** It was away and is alive again. */
  onBack?: (name: string) => void;

  readonly #options: ReachabilityOptions;
  readonly #away: LRUCache<string, Destination>;

  constructor(options: ReachabilityOptions) {
    this.#options = options;
    this.#away = new LRUCache({
      max: DESTINATIONS_MAX,
      dispose: (_destination, _name, why) => {
        if (why === "evict") options.stats.destinationEvictions++;
      },
    });
  }

  /**
   * Undefined: try it, and say by `handleFailure` or `handleAlive` what came of it. One request at a time tries a destination that was
   * away: meanwhile the others are told that it is.
   */
  away(name: string): Away | undefined {
    const destination = this.#away.get(name);
    if (destination === undefined) return undefined;
    const nowMs = this.#options.timers.nowMs();
    const { sinceMs, retryMs } = destination;
    if (nowMs < retryMs) return { sinceMs, retryMs };
    // A try of which nothing is heard, as it failed for another reason, is over then.
    destination.retryMs = nowMs + AWAY_TRY_MS;
    destination.trying = true;
    return undefined;
  }

  /** The same, and throws `PINYON_UNREACHABLE`, which says since when, where it is away. */
  requireAlive(name: string): void {
    const away = this.away(name);
    if (away === undefined) return;
    const nowMs = this.#options.timers.nowMs();
    const seconds = (ms: number) => Math.ceil(ms / 1_000);
    const since = `it has not answered for ${seconds(nowMs - away.sinceMs)} s`;
    this.#options.stats.awayAnswers++;
    throw new FederationError(
      "PINYON_UNREACHABLE",
      `${since}, and is tried again in ${seconds(away.retryMs - nowMs)} s`,
    );
  }

  /** True where it is away for good, for all that can be known: since two minutes, and not for a hiccup of its route. */
  isOutage(name: string): boolean {
    const destination = this.#away.get(name);
    return destination !== undefined && this.#options.timers.nowMs() - destination.sinceMs >= OUTAGE_MS;
  }

  /** A try to reach it failed. Requests that failed by the same try count as one. */
  handleFailure(name: string): void {
    const nowMs = this.#options.timers.nowMs();
    const known = this.#away.get(name);
    if (known !== undefined && !known.trying && nowMs < known.retryMs) return;
    const row = known !== undefined && isRow(known, nowMs) ? known : { sinceMs: nowMs, failures: 0 };
    const failures = row.failures + 1;
    const retryMs = nowMs + backOffMs(AWAY_BACK_OFF, failures, this.#options.random);
    this.#away.set(name, { sinceMs: row.sinceMs, failedMs: nowMs, failures, retryMs, trying: false });
  }

  /** It answered, or asked this node. */
  handleAlive(name: string): void {
    if (this.#away.delete(name)) this.onBack?.(name);
  }

  /** This node has its first link after having none: that others could not be reached without says nothing of them. */
  handleConnected(): void {
    this.#away.clear();
  }
}

/** False where a failure now is news: two that are far apart may be two hiccups. An outage lasts until the destination is alive. */
function isRow({ sinceMs, failedMs }: Destination, nowMs: number): boolean {
  return nowMs - failedMs < OUTAGE_MS || failedMs - sinceMs >= OUTAGE_MS;
}
