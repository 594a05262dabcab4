import { LRUCache } from "lru-cache";
import { toHex } from "../wire/bytes.js";
import type { RootLost } from "../wire/control.js";
import { edgeChild } from "../wire/edge.js";
import type { TreeConfig } from "./config.js";

/** Reports of lost roots: each (root, seq) goes on once, and the root has a while to answer with a newer seq. */
export class RootReports {
  /** By root: the newest seq under which it was reported lost, and when that is certain. */
  readonly #lost: LRUCache<string, { readonly seq: number; readonly deadlineMs: number }>;
  readonly #reporters: LRUCache<string, number>;
  #nextMs = Number.POSITIVE_INFINITY;

  constructor(private readonly config: TreeConfig) {
    this.#lost = new LRUCache({ max: config.rootsMax });
    this.#reporters = new LRUCache({ max: config.rootsMax });
  }

  /** Whether this reporter may be heard again: once in the gap in which a root answers. */
  mayReport(reporter: Uint8Array, nowMs: number): boolean {
    const lastMs = this.#reporters.get(toHex(reporter));
    return lastMs === undefined || nowMs - lastMs >= this.config.seqAnswerGapMs;
  }

  /** True where the report is the first of its (root, seq). `delayMs` is the own delay to the root. */
  handleReport(report: RootLost, delayMs: number, nowMs: number): boolean {
    this.#reporters.set(toHex(edgeChild(report.edge)), nowMs);
    const root = toHex(report.root);
    if ((this.#lost.get(root)?.seq ?? -1) >= report.seq) return false;
    const { lostMs, lostDelayFactor, lostMaxMs } = this.config;
    const deadlineMs = nowMs + Math.min(lostMs + lostDelayFactor * delayMs, lostMaxMs);
    this.#lost.set(root, { seq: report.seq, deadlineMs });
    this.#nextMs = Math.min(this.#nextMs, deadlineMs);
    return true;
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
