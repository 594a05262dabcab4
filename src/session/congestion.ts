import type { SessionConfig } from "./config.js";
import { SlowStart } from "./slow-start.js";

/** What remains of the window after a loss (RFC 9438 4.6), and after a mark, which comes when the queue is short still (RFC 8511). */
const DECREASE = 0.7;
const DECREASE_BY_MARK = 0.85;
/** How fast the window comes back, in packets a second cubed (RFC 9438 4.1.1). */
const CUBIC_C = 0.4;
/** Growth per round trip, in packets, that does as Reno would at this decrease (RFC 9438 4.3). */
const RENO_GROWTH = (3 * (1 - DECREASE)) / (1 + DECREASE);
/** The window grows by no more than this factor in a round trip (RFC 9438 4.2). */
const GROWTH_MAX = 1.5;
/** RFC 9002 7.2: ten packets, but no more than 14,720 bytes where two packets are less than that. */
const INITIAL_PACKETS = 10;
const INITIAL_BYTES = 14_720;
const WINDOW_PACKETS_MIN = 2;

/**
 * How many bytes may be in flight: CUBIC (RFC 9438) within the rules of RFC 9002 7. Reno needs a round trip for each packet that the
 * window lost: at 100 Mbit/s and 200 ms it is back after 200 s, CUBIC after 12 s. A loss and a congestion mark count alike, once a
 * round trip.
 */
export class Congestion {
  readonly #packetBytes: number;
  readonly #windowBytesMax: number;
  readonly #slowStart = new SlowStart();
  #windowBytes: number;
  #thresholdBytes = Number.POSITIVE_INFINITY;
  /** Packets sent up to here belong to a loss or mark that was reacted to. */
  #recoveryStartMs = Number.NEGATIVE_INFINITY;

  /** CUBIC's epoch: since the last reaction, counted while the window limits. Undefined until the first growth after it. */
  #epoch: { countedMs: number; elapsedMs: number; plateauMs: number; renoBytes: number } | undefined;
  #plateauBytes = 0;

  constructor(config: SessionConfig) {
    this.#packetBytes = config.packetBytes;
    this.#windowBytesMax = config.congestionWindowBytesMax;
    this.#windowBytes = this.#initialBytes;
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** The window grows for an acknowledged packet, if it was what limited: `inFlightBytes` were in flight after it was sent. */
  handleAcked(sizeBytes: number, sentMs: number, inFlightBytes: number, rttMs: number, nowMs: number): void {
    if (sentMs <= this.#recoveryStartMs || this.#windowBytes >= 2 * inFlightBytes) return;
    if (this.#windowBytes < this.#thresholdBytes) {
      this.#grow(this.#slowStart.growthBytes(sizeBytes));
      return;
    }
    this.#growCubic(sizeBytes, rttMs, nowMs);
  }

  /** A round-trip sample: while it grows in slow start, the queue on the way fills. `sentMs` is when the sampled packet was sent. */
  handleRttSample(sampleMs: number, sentMs: number, nowMs: number): void {
    if (this.#windowBytes >= this.#thresholdBytes) return;
    if (this.#slowStart.handleRttSample(sampleMs, sentMs, nowMs)) this.#thresholdBytes = this.#windowBytes;
  }

  /** A packet sent at `sentMs` was lost, or a mark came back for it. True where this made the window smaller. */
  handleCongestion(sentMs: number, isMark: boolean, nowMs: number): boolean {
    if (sentMs <= this.#recoveryStartMs) return false;
    this.#recoveryStartMs = nowMs;
    const before = this.#windowBytes;
    const overtaken = before < this.#plateauBytes; // others took a share since: leave them room (RFC 9438 4.7)
    const decrease = isMark ? DECREASE_BY_MARK : DECREASE;
    this.#plateauBytes = overtaken ? (before * (1 + decrease)) / 2 : before;
    this.#windowBytes = Math.max(before * decrease, WINDOW_PACKETS_MIN * this.#packetBytes);
    this.#thresholdBytes = this.#windowBytes;
    this.#epoch = undefined;
    return true;
  }

  /** Nothing got through for several probe timeouts (RFC 9002 7.6). */
  handlePersistentCongestion(): void {
    this.#windowBytes = WINDOW_PACKETS_MIN * this.#packetBytes;
    this.#recoveryStartMs = Number.NEGATIVE_INFINITY;
    this.#epoch = undefined;
    this.#slowStart.reset();
  }

  /** Starts anew: the packets take another way now, and what was sent before says nothing about it (RFC 9000 9.4). */
  reset(nowMs: number): void {
    this.#windowBytes = this.#initialBytes;
    this.#thresholdBytes = Number.POSITIVE_INFINITY;
    this.#recoveryStartMs = nowMs;
    this.#epoch = undefined;
    this.#plateauBytes = 0;
    this.#slowStart.reset();
  }

  get #initialBytes(): number {
    const bytes = Math.max(INITIAL_BYTES, WINDOW_PACKETS_MIN * this.#packetBytes);
    return Math.min(INITIAL_PACKETS * this.#packetBytes, bytes);
  }

  #growCubic(sizeBytes: number, rttMs: number, nowMs: number): void {
    const epoch = (this.#epoch ??= this.#beginEpoch(nowMs));
    epoch.elapsedMs += Math.min(nowMs - epoch.countedMs, rttMs);
    epoch.countedMs = nowMs;
    const seconds = (epoch.elapsedMs + rttMs - epoch.plateauMs) / 1000;
    const cubicBytes = this.#plateauBytes + CUBIC_C * seconds * seconds * seconds * this.#packetBytes;
    const targetBytes = Math.min(cubicBytes, GROWTH_MAX * this.#windowBytes);
    const share = sizeBytes / this.#windowBytes;
    epoch.renoBytes += RENO_GROWTH * this.#packetBytes * share;
    this.#grow(Math.max((targetBytes - this.#windowBytes) * share, epoch.renoBytes - this.#windowBytes, 0));
  }

  #beginEpoch(nowMs: number) {
    this.#plateauBytes = Math.max(this.#plateauBytes, this.#windowBytes);
    const lostPackets = (this.#plateauBytes - this.#windowBytes) / this.#packetBytes;
    const plateauMs = 1000 * cubeRoot(lostPackets / CUBIC_C);
    return { countedMs: nowMs, elapsedMs: 0, plateauMs, renoBytes: this.#windowBytes };
  }

  #grow(bytes: number): void {
    this.#windowBytes = Math.min(this.#windowBytes + bytes, this.#windowBytesMax);
  }
}

/** Cube root by Newton's method from above, so that every engine gives the same bits. Up to 10⁷ it comes to rest in 40 steps. */
export function cubeRoot(value: number): number {
  if (value <= 0) return 0;
  let root = Math.max(value, 1);
  for (let step = 0; step < 64; step++) {
    const next = (2 * root + value / (root * root)) / 3;
    if (next >= root) break;
    root = next;
  }
  return root;
}
