interface Entry {
  readonly timeMs: number;
  readonly sequence: number;
  readonly action: () => void;
}

/** What is to happen when, in virtual time: a binary heap, ordered by time, then by the order in which things were scheduled. */
export class Schedule {
  nowMs = 0;
  #sequence = 0;
  readonly #heap: Entry[] = [];

  at(timeMs: number, action: () => void): void {
    const entry = { timeMs: Math.max(timeMs, this.nowMs), sequence: this.#sequence++, action };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  after(delayMs: number, action: () => void): void {
    this.at(this.nowMs + delayMs, action);
  }

  /** Does what is due next, if that is not later than `untilMs`. */
  step(untilMs: number): boolean {
    const next = this.#heap[0];
    if (next === undefined || next.timeMs > untilMs) return false;
    this.#removeFirst();
    this.nowMs = next.timeMs;
    next.action();
    return true;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.sequence < b.sequence);
}
