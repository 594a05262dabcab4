/** A token bucket on the caller's clock, the limit of every rate: so many a second, and as many at once as it holds. */
export class Budget {
  #level: number;
  #atMs: number;

  constructor(
    private readonly ratePerS: number,
    readonly burst: number,
    nowMs: number,
  ) {
    this.#level = burst;
    this.#atMs = nowMs;
  }

  /** Takes one and gives true, where one is there besides the `reserve` that is left to others. */
  take(nowMs: number, reserve = 0): boolean {
    this.#refill(nowMs);
    if (this.#level < reserve + 1) return false;
    this.#level -= 1;
    return true;
  }

  /** Takes `amount` and gives true, unless earlier takings are not paid for yet: one may overdraw, the next then waits. */
  overdraw(amount: number, nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#level < 0) return false;
    this.#level -= amount;
    return true;
  }

  /** When `overdraw` will give true again. */
  paidMs(): number {
    return this.#level >= 0 ? this.#atMs : this.#atMs + Math.ceil((-this.#level * 1000) / this.ratePerS);
  }

  #refill(nowMs: number): void {
    this.#level = Math.min(this.burst, this.#level + ((nowMs - this.#atMs) * this.ratePerS) / 1000);
    this.#atMs = nowMs;
  }
}
