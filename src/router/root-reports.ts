import { LRUCache } from "lru-cache";
import { toHex } from "../wire/bytes.js";
import type { RootLost } from "../wire/control.js";
import type { TreeConfig } from "./config.js";

/** Reports of lost roots: each (root, seq) goes on once, and the root has a while to answer with a newer seq. */
export class RootReports {
  /** By root: the newest seq under which it was reported lost, and when that is certain. */
  readonly #lost: LRUCache<string, { readonly seq: number; readonly deadlineMs: number }>;
  #heardMs = Number.NEGATIVE_INFINITY;
  #nextMs = Number.POSITIVE_INFINITY;

  constructor(private readonly config: TreeConfig) {
    this.#lost = new LRUCache({ max: config.rootsMax });
  }

  /** Whether a report is the first of its (root, seq), and does not come faster than a root answers. */
  isNews(report: RootLost, nowMs: number): boolean {
    const seq = this.#lost.get(toHex(report.root))?.seq ?? -1;
    return seq < report.seq && nowMs - this.#heardMs >= this.config.seqAnswerGapMs;
  }

  /** A report that is news and whose signatures are valid. `delayMs` is the own delay to the root. */
  handleReport(report: RootLost, delayMs: number, nowMs: number): void {
    this.#heardMs = nowMs;
    const { lostMs, lostDelayFactor, lostMaxMs } = this.config;
    const deadlineMs = nowMs + Math.min(lostMs + lostDelayFactor * delayMs, lostMaxMs);
    this.#lost.set(toHex(report.root), { seq: report.seq, deadlineMs });
    this.#nextMs = Math.min(this.#nextMs, deadlineMs);
  }

  /** The root is at the other end of a link again. */
  handleReturn(root: Uint8Array): void {
    this.#lost.delete(toHex(root));
  }

  /** True where `root` was reported lost under `seq` or a newer one, and did not answer in time. */
  isDue(root: Uint8Array, seq: number, nowMs: number): boolean {
    const lost = this.#lost.get(toHex(root));
    return lost !== undefined && seq <= lost.seq && nowMs >= lost.deadlineMs;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = Number.POSITIVE_INFINITY;
    for (const { deadlineMs } of this.#lost.values())
      if (deadlineMs > nowMs) this.#nextMs = Math.min(this.#nextMs, deadlineMs);
  }

  pollTimeout(): number {
    return this.#nextMs;
  }
}
