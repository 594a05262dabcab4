import { Budget } from "../wire/budget.js";

/** Ports whose shares of one budget are remembered; above, all have their share in full again. 10 KB a budget. */
const SHARES_MAX = 64;
/** The part of a budget that is one port's share. */
const SHARE = 1 / 16;

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
