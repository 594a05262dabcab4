import { INITIAL_WINDOW_BYTES } from "./frames.js";
import { PACKET_BYTES_MAX, PACKET_BYTES_MIN } from "./packet.js";

/**
 * Local limits and times of sessions. Each node may have its own; what both ends must agree on stands in `packet.ts` and `frames.ts`.
 * Times are milliseconds, sizes bytes. Every bound that refuses something counts it (`stats.ts`).
 */
export interface SessionConfig {
  /** Packets that are sent where the path is slow or not known yet, in bytes: 1,200 to 61,440. Any size up to that is received. */
  readonly packetBytes: number;
  /** Packets that are sent where the path is fast. A packet lost is lost whole, and a small one waits behind it at every hop. */
  readonly packetBytesMax: number;
  /** Bytes of a stream that a peer may send ahead of what was read, at least 65,536: this much memory a stream, two streams a session. */
  readonly receiveWindowBytes: number;
  /**
   * Bytes that the streams of all sessions hold together, beside one packet for a stream of which everything was read. Past it, packets
   * are dropped unacknowledged.
   */
  readonly receiveMemoryBytesMax: number;
  /** Separate pieces of a stream that are held out of order: 16 bytes each. A packet that makes one more is dropped unacknowledged. */
  readonly receiveRangesMax: number;
  /** Bytes taken from `write` before they are sent: what goes out in 10 ms, and no more than this much memory per stream. */
  readonly sendAheadBytesMax: number;
  /** Largest congestion window: what is in flight is held until acknowledged, so this much memory a session. */
  readonly congestionWindowBytesMax: number;
  /** Packets in flight: 200 to 700 bytes each. */
  readonly packetsInFlightMax: number;
  /** Notes that wait to be sent: 1 KB each a session. */
  readonly notesMax: number;
  /** Round trip before the first sample (RFC 9002 6.2.2). */
  readonly initialRttMs: number;
  /** Longest probe timeout that backoff leads to, so that a session is back soon after a blackout. */
  readonly probeTimeoutMsMax: number;
  /** What the pacer lets out at once, in time at its rate; ten packets if that is more. */
  readonly pacingBurstMs: number;
  /** A session with nothing waiting ends after this long without a packet. */
  readonly idleTimeoutMs: number;
  /** A session with data outstanding ends after this long without an acknowledgement, or without a way for it. */
  readonly deadAfterMs: number;
  /** Message 1 goes again after this long, then after twice as long, and so on. */
  readonly handshakeRetryMs: number;
  /** A handshake that is not confirmed by then has failed; a half-open session older than that is not completed. */
  readonly handshakeTimeoutMs: number;
  /** Half-open sessions, one per HANDSHAKE_INIT: 4 KB each; the oldest makes room. */
  readonly halfOpenMax: number;
  /** Sessions: 7 KB each when idle. */
  readonly sessionsMax: number;
  /**
   * Where there is no room, the session silent longest makes room if it was silent for this long and nothing waits in it; for one that
   * this node begins, of those that others began in any case.
   */
  readonly evictAfterMs: number;
  /** Handshakes that one ingress may bring: at once, and a second; half is kept for those behind it who bring few. About 0.6 ms each in native form, 6 ms in portable form. */
  readonly handshakesBurst: number;
  readonly handshakesPerSecond: number;
  /** Ingresses whose handshakes are counted: at most 10 KB each; the one unused longest is forgotten. */
  readonly ingressesMax: number;
  /** A key protects this many packets, or serves this long, then it is replaced. */
  readonly rekeyPackets: number;
  readonly rekeyMs: number;
  /** Bytes that a session sends before it is another session's turn. */
  readonly turnBytes: number;
}

export const SESSION_DEFAULTS: SessionConfig = {
  packetBytes: 1_200,
  packetBytesMax: 60 * 1024,
  receiveWindowBytes: 7 * 1024 * 1024,
  receiveMemoryBytesMax: 256 * 1024 * 1024,
  receiveRangesMax: 2_048,
  sendAheadBytesMax: 1024 * 1024,
  congestionWindowBytesMax: 8 * 1024 * 1024,
  packetsInFlightMax: 16_384,
  notesMax: 64,
  initialRttMs: 333,
  probeTimeoutMsMax: 2_000,
  pacingBurstMs: 4,
  idleTimeoutMs: 300_000,
  deadAfterMs: 60_000,
  handshakeRetryMs: 500,
  handshakeTimeoutMs: 10_000,
  halfOpenMax: 1_024,
  sessionsMax: 4_096,
  evictAfterMs: 30_000,
  handshakesBurst: 128,
  handshakesPerSecond: 64,
  ingressesMax: 1_024,
  rekeyPackets: 2 ** 20,
  rekeyMs: 3_600_000,
  turnBytes: 16 * 1024,
};

/** Throws a RangeError that names a size which the protocol does not allow. */
export function checkSessionConfig(config: SessionConfig): void {
  const { packetBytes, packetBytesMax, receiveWindowBytes } = config;
  if (packetBytes < PACKET_BYTES_MIN || packetBytes > PACKET_BYTES_MAX) {
    throw new RangeError(`packetBytes is ${packetBytes}, expected ${PACKET_BYTES_MIN} to ${PACKET_BYTES_MAX}`);
  }
  if (packetBytesMax < packetBytes || packetBytesMax > PACKET_BYTES_MAX) {
    throw new RangeError(`packetBytesMax is ${packetBytesMax}, expected ${packetBytes} to ${PACKET_BYTES_MAX}`);
  }
  if (receiveWindowBytes < INITIAL_WINDOW_BYTES) {
    throw new RangeError(`receiveWindowBytes is ${receiveWindowBytes}, expected ${INITIAL_WINDOW_BYTES} or more`);
  }
}
