import type { Network } from "../network.js";
import { CHECKERS } from "./all.js";
import type { CheckContext, Checker, Violation } from "./checker.js";

/** Violations that are kept of each checker: the first says most. */
const KEPT = 5;

/** All checkers at work on one network, and what they found. */
export class Check {
  readonly violations: Violation[] = [];
  /** How often each checker complained. */
  readonly counts = new Map<string, number>();
  readonly #checkers: readonly Checker[];

  constructor(private readonly context: CheckContext) {
    const { network, frames } = context;
    network.watch(frames);
    this.#checkers = Object.entries(CHECKERS).map(([name, make]) => {
      const checker = make(context, (text) => this.fail(name, text));
      network.watch(checker);
      return checker;
    });
    this.#everySecond(network);
  }

  /** Notes a violation. */
  fail(checker: string, text: string): void {
    const count = (this.counts.get(checker) ?? 0) + 1;
    this.counts.set(checker, count);
    if (count <= KEPT) this.violations.push({ checker, timeMs: this.context.network.nowMs, text });
  }

  handleHealed(): void {
    for (const checker of this.#checkers) checker.handleHealed?.(this.context.network.nowMs);
  }

  handleQuiet(fromMs: number): void {
    for (const checker of this.#checkers) checker.handleQuiet?.(fromMs, this.context.network.nowMs);
  }

  #everySecond(network: Network): void {
    network.schedule.after(1_000, () => {
      for (const checker of this.#checkers) checker.handleSecond?.(network.nowMs);
      this.#everySecond(network);
    });
  }
}
