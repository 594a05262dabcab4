import type { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import type { TestNetwork } from "./network.js";
import type { TestServer } from "./server.js";

/** Every request was answered or failed and is counted so, no stream is open between nodes, and no timer of an exchange runs. */
export async function mustSettle(
  network: TestNetwork,
  servers: readonly TestServer[],
  timers?: VirtualTimers,
): Promise<void> {
  await until("every request is over", () => servers.every(isSettled) && network.open.size === 0);
  // What remembers contacts is written within a minute; nothing else waits.
  timers?.advance(60_000);
  // A connection's clock ends with it.
  if (timers !== undefined) await until("no timer runs", () => timers.pendingCount === 0);
}

function isSettled({ federation: { stats } }: TestServer): boolean {
  const outbound = stats.outboundRequests - stats.outboundAnswers - sumOf(stats.outboundErrors);
  const inbound = stats.inboundRequests - stats.inboundAnswers - sumOf(stats.inboundErrors);
  // What is refused before it is a request is counted as an error alone.
  return outbound <= 0 && inbound === 0;
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
