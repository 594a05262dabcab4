import { equalBytes } from "../wire/bytes.js";
import type { RootLost } from "../wire/control.js";
import type { TreeConfig } from "./config.js";

/** The last report that the own root is lost: each (root, seq) goes on once, and the root has a while to answer with a newer seq. */
export class RootReports {
  #lost: { readonly root: Uint8Array; readonly seq: number; readonly deadlineMs: number } | undefined;
  #heardMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly config: TreeConfig) {}

  /** Whether a report is the first of its (root, seq), and does not come faster than a root answers. */
  isNews({ root, seq }: RootLost, nowMs: number): boolean {
    return !this.#covers(root, seq) && nowMs - this.#heardMs >= this.config.seqAnswerGapMs;
  }

  /** A report that is news and whose signatures are valid. `delayMs` is the own delay to the root. */
  handleReport({ root, seq }: RootLost, delayMs: number, nowMs: number): void {
    const { lostMs, lostDelayFactor, lostMaxMs } = this.config;
    const deadlineMs = nowMs + Math.min(lostMs + lostDelayFactor * delayMs, lostMaxMs);
    this.#lost = { root: root.slice(), seq, deadlineMs };
    this.#heardMs = nowMs;
  }

  /** The root is at the other end of a link again. */
  handleReturn(root: Uint8Array): void {
    if (this.#covers(root, 0)) this.#lost = undefined;
  }

  /** When (root, seq) is dead, if no newer seq comes before. */
  deadlineMs(root: Uint8Array, seq: number): number {
    return this.#covers(root, seq) ? this.#lost!.deadlineMs : Number.POSITIVE_INFINITY;
  }

  #covers(root: Uint8Array, seq: number): boolean {
    return this.#lost !== undefined && seq <= this.#lost.seq && equalBytes(root, this.#lost.root);
  }
}
