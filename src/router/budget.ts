/** A token bucket on the caller's clock: so many a second, and as many at once as it holds. */
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

  /** True where more than half was spent lately. */
  isBusy(nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#level < this.burst / 2;
  }

  #refill(nowMs: number): void {
    this.#level = Math.min(this.burst, this.#level + ((nowMs - this.#atMs) * this.ratePerS) / 1000);
    this.#atMs = nowMs;
  }
}

/** One budget a port, made at its first use. As many as there are links. */
export class PortBudgets {
  readonly #budgets = new Map<number, Budget>();

  constructor(
    private readonly ratePerS: number,
    private readonly burst: number,
  ) {}

  take(port: number, nowMs: number): boolean {
    return this.#of(port, nowMs).take(nowMs);
  }

  isBusy(port: number, nowMs: number): boolean {
    return this.#of(port, nowMs).isBusy(nowMs);
  }

  handleLinkDown(port: number): void {
    this.#budgets.delete(port);
  }

  #of(port: number, nowMs: number): Budget {
    let budget = this.#budgets.get(port);
    if (budget === undefined) {
      budget = new Budget(this.ratePerS, this.burst, nowMs);
      this.#budgets.set(port, budget);
    }
    return budget;
  }
}
