import { Budget } from "../wire/budget.js";

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
