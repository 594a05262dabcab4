/** RFC 9406 4.3. */
const RTT_SAMPLES_MIN = 8;
const RTT_GROWTH_MS_MIN = 4;
const RTT_GROWTH_MS_MAX = 16;
const RTT_GROWTH_DIVISOR = 8;
const CAUTIOUS_GROWTH_DIVISOR = 4;
const CAUTIOUS_ROUNDS = 5;

/**
 * HyStart++ (RFC 9406): slow start ends when round trips grow, before the queue on the way is full. After the first sign the window
 * grows at a quarter of the pace; if round trips shrink again it was none, after five rounds it was one.
 */
export class SlowStart {
  /** A round ends with the first sample of a packet that was sent in it. */
  #roundStartMs = Number.NEGATIVE_INFINITY;
  #roundSamples = 0;
  #roundMinMs = Number.POSITIVE_INFINITY;
  #lastRoundMinMs = Number.POSITIVE_INFINITY;
  /** Round trip at the first sign; undefined before. */
  #baselineMs: number | undefined;
  #cautiousRounds = 0;

  /** What the window grows by for `sizeBytes` acknowledged. */
  growthBytes(sizeBytes: number): number {
    return this.#baselineMs === undefined ? sizeBytes : sizeBytes / CAUTIOUS_GROWTH_DIVISOR;
  }

  /** Takes a sample of a packet sent at `sentMs`; true where slow start is over. */
  handleRttSample(sampleMs: number, sentMs: number, nowMs: number): boolean {
    if (sentMs >= this.#roundStartMs) {
      this.#roundStartMs = nowMs;
      this.#lastRoundMinMs = this.#roundMinMs;
      this.#roundMinMs = Number.POSITIVE_INFINITY;
      this.#roundSamples = 0;
      if (this.#baselineMs !== undefined && ++this.#cautiousRounds >= CAUTIOUS_ROUNDS) return true;
    }
    this.#roundMinMs = Math.min(this.#roundMinMs, sampleMs);
    if (++this.#roundSamples < RTT_SAMPLES_MIN) return false;
    if (this.#baselineMs === undefined) {
      if (this.#roundMinMs >= this.#lastRoundMinMs + this.#growthMs) {
        this.#baselineMs = this.#roundMinMs;
        this.#cautiousRounds = 0;
      }
    } else if (this.#roundMinMs < this.#baselineMs) {
      this.#baselineMs = undefined;
    }
    return false;
  }

  reset(): void {
    this.#roundStartMs = Number.NEGATIVE_INFINITY;
    this.#roundSamples = 0;
    this.#roundMinMs = Number.POSITIVE_INFINITY;
    this.#lastRoundMinMs = Number.POSITIVE_INFINITY;
    this.#baselineMs = undefined;
    this.#cautiousRounds = 0;
  }

  get #growthMs(): number {
    const growthMs = this.#lastRoundMinMs / RTT_GROWTH_DIVISOR;
    return Math.min(Math.max(growthMs, RTT_GROWTH_MS_MIN), RTT_GROWTH_MS_MAX);
  }
}
