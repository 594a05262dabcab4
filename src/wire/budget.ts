/** Ports whose shares of one budget are remembered; above, all have their share in full again. 10 KB a budget. */
const SHARES_MAX = 64;
/** The part of a budget that is one port's share. */
const SHARE = 1 / 16;

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

/**
 * A token bucket that many ports draw from. Half of it is kept for ports that draw less than their share, so that a flood by one port
 * leaves the others theirs.
 */
export class SharedBudget {
  readonly #whole: Budget;
  readonly #shares = new Map<number, Budget>();

  constructor(
    private readonly ratePerS: number,
    private readonly burst: number,
    nowMs: number,
  ) {
    this.#whole = new Budget(ratePerS, burst, nowMs);
  }

  take(port: number, nowMs: number): boolean {
    let share = this.#shares.get(port);
    if (share === undefined) {
      if (this.#shares.size >= SHARES_MAX) this.#shares.clear();
      share = new Budget(this.ratePerS * SHARE, Math.max(1, this.burst * SHARE), nowMs);
      this.#shares.set(port, share);
    }
    return this.#whole.take(nowMs, share.take(nowMs) ? 0 : this.burst / 2);
  }
}
