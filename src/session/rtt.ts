/** Round-trip time (RFC 9002 5), in milliseconds. */

/** Finest time that timers are trusted with (RFC 9002 6.1.2, kGranularity). */
export const GRANULARITY_MS = 1;
/** Longest time that an acknowledgement is held back (RFC 9000 18.2, max_ack_delay). Part of the protocol. */
export const ACK_DELAY_MS_MAX = 25;

export class RttEstimator {
  readonly #initialMs: number;
  #sampled = false;
  #latestMs: number;
  #smoothedMs: number;
  #variationMs: number;
  #minMs: number;

  constructor(initialMs: number) {
    this.#initialMs = initialMs;
    this.#latestMs = initialMs;
    this.#smoothedMs = initialMs;
    this.#variationMs = initialMs / 2;
    this.#minMs = initialMs;
  }

  get sampled(): boolean {
    return this.#sampled;
  }

  get smoothedMs(): number {
    return this.#smoothedMs;
  }

  get latestMs(): number {
    return this.#latestMs;
  }

  get minMs(): number {
    return this.#minMs;
  }

  /** Takes one sample. `ackDelayMs` is what the peer says that it held the acknowledgement back. */
  update(sampleMs: number, ackDelayMs: number): void {
    this.#latestMs = sampleMs;
    if (!this.#sampled) {
      this.#sampled = true;
      this.#minMs = sampleMs;
      this.#smoothedMs = sampleMs;
      this.#variationMs = sampleMs / 2;
      return;
    }
    this.#minMs = Math.min(this.#minMs, sampleMs);
    const delayMs = Math.min(ackDelayMs, ACK_DELAY_MS_MAX);
    const adjustedMs = sampleMs >= this.#minMs + delayMs ? sampleMs - delayMs : sampleMs;
    this.#variationMs += (Math.abs(this.#smoothedMs - adjustedMs) - this.#variationMs) / 4;
    this.#smoothedMs += (adjustedMs - this.#smoothedMs) / 8;
  }

  /** Starts anew: the packets take another way now. `guessMs` is believed where it is less than the initial guess. */
  reset(guessMs = this.#initialMs): void {
    const startMs = Math.min(guessMs, this.#initialMs);
    this.#sampled = false;
    this.#latestMs = startMs;
    this.#smoothedMs = startMs;
    this.#variationMs = startMs / 2;
    this.#minMs = startMs;
  }

  /** Probe timeout without backoff (RFC 9002 6.2.1). */
  get probeTimeoutMs(): number {
    return this.#smoothedMs + Math.max(4 * this.#variationMs, GRANULARITY_MS) + ACK_DELAY_MS_MAX;
  }

  /** How much later than an acknowledged packet one may be before it is lost (RFC 9002 6.1.2). */
  get lossDelayMs(): number {
    return Math.max((9 / 8) * Math.max(this.#latestMs, this.#smoothedMs), GRANULARITY_MS);
  }

  /** Losses over a longer time than this are persistent congestion (RFC 9002 7.6.1). */
  get persistentCongestionMs(): number {
    return 3 * this.probeTimeoutMs;
  }
}
