/** What a `DeadlineQueue` holds: its own place and deadline are kept in the item. */
export interface Timed {
  /** When the item is due; written by the queue. */
  deadlineMs: number;
  /** Place in the queue, -1 outside; written by the queue. */
  queueIndex: number;
}

/** A binary heap of items by deadline, in which an item's deadline can be changed: O(log n) for each change, O(1) for the first. */
export class DeadlineQueue<Item extends Timed> {
  readonly #items: Item[] = [];

  /** The item that is due first. */
  get first(): Item | undefined {
    return this.#items[0];
  }

  /** Puts `item` in, moves it, or takes it out where `deadlineMs` is Infinity. */
  update(item: Item, deadlineMs: number): void {
    if (deadlineMs === Number.POSITIVE_INFINITY) {
      this.#remove(item);
      return;
    }
    if (item.queueIndex < 0) {
      item.queueIndex = this.#items.length;
      this.#items.push(item);
    } else if (item.deadlineMs === deadlineMs) {
      return;
    }
    item.deadlineMs = deadlineMs;
    this.#settle(item);
  }

  #remove(item: Item): void {
    const index = item.queueIndex;
    if (index < 0) return;
    item.queueIndex = -1;
    item.deadlineMs = Number.POSITIVE_INFINITY;
    const last = this.#items.pop()!;
    if (last === item) return;
    last.queueIndex = index;
    this.#items[index] = last;
    this.#settle(last);
  }

  /** Moves `item` up or down to where its deadline belongs. */
  #settle(item: Item): void {
    const items = this.#items;
    let index = item.queueIndex;
    for (let parent = (index - 1) >> 1; index > 0 && items[parent]!.deadlineMs > item.deadlineMs; ) {
      this.#place(items[parent]!, index);
      index = parent;
      parent = (index - 1) >> 1;
    }
    for (;;) {
      let child = 2 * index + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]!.deadlineMs < items[child]!.deadlineMs) child++;
      if (items[child]!.deadlineMs >= item.deadlineMs) break;
      this.#place(items[child]!, index);
      index = child;
    }
    this.#place(item, index);
  }

  #place(item: Item, index: number): void {
    this.#items[index] = item;
    item.queueIndex = index;
  }
}
