import type { TreeConfig } from "./config.js";

/** When a root gives a seq: every heartbeat, and when somebody asks, but not at once again. */
export class Reign {
  #heartbeatMs = Number.POSITIVE_INFINITY;
  #answerMs = Number.POSITIVE_INFINITY;
  #givenMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly config: TreeConfig) {}

  /** Somebody asks for a new seq, or reported that this root is lost. */
  handleAsked(nowMs: number): void {
    this.#answerMs = Math.min(this.#answerMs, Math.max(nowMs, this.#givenMs + this.config.seqAnswerGapMs));
  }

  handleGiven(nowMs: number): void {
    this.#givenMs = nowMs;
    this.#answerMs = Number.POSITIVE_INFINITY;
    this.#heartbeatMs = nowMs + this.config.heartbeatMs;
  }

  /** Somebody else is root. */
  handleEnd(): void {
    this.#heartbeatMs = Number.POSITIVE_INFINITY;
    this.#answerMs = Number.POSITIVE_INFINITY;
  }

  /** When the next seq is to be given. */
  pollTimeout(): number {
    return Math.min(this.#heartbeatMs, this.#answerMs);
  }
}
