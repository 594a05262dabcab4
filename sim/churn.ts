import type { Network } from "./network.js";
import type { Random } from "./random.js";

/** How long a node stays away. */
const AWAY_MS = [10_000, 30_000] as const;

/**
 * Nodes leave and come back: so many a minute, one after another. Half of them end their links, half are gone without a word; each
 * comes back with what its disk has.
 */
export function churn(network: Network, random: Random, perMinute: number, forMs: number): void {
  const endMs = network.nowMs + forMs;
  const next = () => {
    if (network.nowMs >= endMs) return;
    const host = network.hosts[random.below(network.hosts.length)]!;
    if (host.isReading) {
      network.crash(host.index, random.chance(1, 2));
      network.schedule.after(random.between(...AWAY_MS), () => network.restart(host.index));
    }
    network.schedule.after(60_000 / perMinute, next);
  };
  next();
}
