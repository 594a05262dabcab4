import { EPOCH_HINT_MAX, EPOCH_MAX } from "../wire/limits.js";

/** How many values are taken from the disk at once. */
const BLOCK = 2 ** 16;

/**
 * The one counter behind every seq and epoch of a node. It only grows: it begins at the clock or at what was kept on disk, whichever
 * is more, and jumps above any value that the node sees under its own signature. So a machine without a clock, or with a lost disk,
 * finds back. It is kept on disk in blocks: `pollPersist` names the value to keep, which no value handed out before the next one
 * passes.
 */
export class Epochs {
  #value: number;
  #reserved: number;
  #unsaved = false;

  /** `wallMs` is the clock in milliseconds since 1970, read once; `stored` what `pollPersist` gave last, 0 without it. */
  constructor(wallMs: number, stored: number) {
    this.#value = Math.max(1, Math.min(Math.floor(wallMs), EPOCH_HINT_MAX), Math.min(stored, EPOCH_MAX - BLOCK));
    this.#reserved = this.#value;
  }

  /** A value above all before it. */
  next(): number {
    if (this.#value < EPOCH_MAX) this.#value++;
    if (this.#value >= this.#reserved) {
      this.#reserved = Math.min(this.#value + BLOCK, EPOCH_MAX);
      this.#unsaved = true;
    }
    return this.#value;
  }

  /** A value that this node once gave, under its own valid signature: the next one will be above it. */
  seen(value: number): void {
    if (value > this.#value && value <= EPOCH_MAX) this.#value = value;
  }

  /** A value that somebody else says this node once gave: believed, and true, within a bound, so that no liar can use the counter up. */
  hinted(value: number): boolean {
    if (value > EPOCH_HINT_MAX) return false;
    this.seen(value);
    return true;
  }

  /** The value to keep on disk, once after it changed. */
  pollPersist(): number | undefined {
    if (!this.#unsaved) return undefined;
    this.#unsaved = false;
    return this.#reserved;
  }
}
