import { type BackOff, backOffMs } from "./back-off.js";
import type { Timers } from "./overlay.js";

export interface RetriesOptions {
  readonly timers: Timers;
  /** 0 ≤ x < 1, for the jitter. */
  readonly random: () => number;
  readonly backOff: BackOff;
  /** A name is given up after so many tries. */
  readonly triesMax: number;
  /** Tries begin this far apart, in ms, whatever their names: one that hangs does not hold up the others. */
  readonly gapMs: number;
  /** True: the name is done with. It settles by itself, and does not reject. */
  readonly attempt: (name: string) => Promise<boolean>;
}

interface Entry {
  tries: number;
  /** Ends the time before the next try; undefined where that is due or under way. */
  cancel: (() => void) | undefined;
}

/** Names for which something is tried again and again, later with each failure, until it is done or given up. */
export class Retries {
  readonly #options: RetriesOptions;
  readonly #entries = new Map<string, Entry>();
  /** Names whose try is due, the first first. */
  readonly #due = new Set<string>();
  #cancelGap: (() => void) | undefined;
  #stopped = false;

  constructor(options: RetriesOptions) {
    this.#options = options;
  }

  /** Tries after `delayMs`, with the back-off at its beginning. A try that is due or under way is not doubled. */
  add(name: string, delayMs: number): void {
    if (this.#stopped) return;
    const known = this.#entries.get(name);
    const entry: Entry = known ?? { tries: 0, cancel: undefined };
    entry.tries = 0;
    this.#entries.set(name, entry);
    if (known === undefined || known.cancel !== undefined) this.#wait(name, entry, delayMs);
  }

  /** Tries no more. What comes of a try that is under way is of no interest. */
  delete(name: string): void {
    this.#entries.get(name)?.cancel?.();
    this.#entries.delete(name);
    this.#due.delete(name);
  }

  stop(): void {
    this.#stopped = true;
    for (const name of this.#entries.keys()) this.delete(name);
    this.#cancelGap?.();
  }

  #wait(name: string, entry: Entry, delayMs: number): void {
    entry.cancel?.();
    entry.cancel = this.#options.timers.after(delayMs, () => {
      entry.cancel = undefined;
      this.#due.add(name);
      if (this.#cancelGap === undefined) this.#tryNext();
    });
  }

  #tryNext(): void {
    this.#cancelGap = undefined;
    for (const name of this.#due) {
      this.#due.delete(name);
      this.#cancelGap = this.#options.timers.after(this.#options.gapMs, () => this.#tryNext());
      this.#try(name, this.#entries.get(name)!);
      return;
    }
  }

  async #try(name: string, entry: Entry): Promise<void> {
    const { attempt, backOff, random, triesMax } = this.#options;
    entry.tries++;
    const done = await attempt(name);
    if (this.#entries.get(name) !== entry) return;
    if (done || entry.tries >= triesMax) this.#entries.delete(name);
    // It was added again meanwhile where it has no tries.
    else this.#wait(name, entry, backOffMs(backOff, Math.max(1, entry.tries), random));
  }
}
