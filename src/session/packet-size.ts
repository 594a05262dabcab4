import type { SessionConfig } from "./config.js";

/** A packet occupies the slowest hop for so long at most, in ms: what is urgent waits behind it. */
const PACKET_MS = 5;
/** At least so many packets fill the window, so that acknowledgements come while it is sent, and a loss shows by what follows it. */
const WINDOW_PACKETS = 16;

/**
 * How large packets are: the time that a packet takes at the path's speed is bounded. Every packet costs the same work, so a fast path is fast with large ones alone; a slow one stays quick to the ping.
 */
export function packetBytesFor(config: SessionConfig, windowBytes: number, bytesPerMs: number): number {
  const bytes = Math.floor(Math.min(bytesPerMs * PACKET_MS, windowBytes / WINDOW_PACKETS));
  return Math.min(Math.max(bytes, config.packetBytes), config.packetBytesMax);
}
