/** A set of whole numbers, kept as sorted ranges [start, end) that neither overlap nor touch. */
export class RangeSet {
  /** start 0, end 0, start 1, end 1, … */
  readonly #bounds: number[] = [];

  /** How many ranges there are. */
  get count(): number {
    return this.#bounds.length / 2;
  }

  /** First number of range `index`; ranges are in ascending order. */
  start(index: number): number {
    return this.#bounds[2 * index]!;
  }

  /** The number after the last of range `index`. */
  end(index: number): number {
    return this.#bounds[2 * index + 1]!;
  }

  /** Adds [start, end). Constant time where it extends or follows the last range, as it mostly does. */
  insert(start: number, end: number): void {
    if (start >= end) return;
    const bounds = this.#bounds;
    const last = bounds.length - 2;
    if (last < 0 || start > bounds[last + 1]!) {
      bounds.push(start, end);
      return;
    }
    if (start >= bounds[last]!) {
      if (end > bounds[last + 1]!) bounds[last + 1] = end;
      return;
    }
    const first = this.firstEndingAt(start);
    let after = first;
    while (after < this.count && this.start(after) <= end) after++;
    if (first === after) {
      bounds.splice(2 * first, 0, start, end);
      return;
    }
    bounds[2 * first] = Math.min(start, this.start(first));
    bounds[2 * first + 1] = Math.max(end, this.end(after - 1));
    if (after - first > 1) bounds.splice(2 * first + 2, 2 * (after - first - 1));
  }

  /** Takes [start, end) out. */
  remove(start: number, end: number): void {
    const bounds = this.#bounds;
    if (start >= end || bounds.length === 0) return;
    let index = this.firstEndingAt(start + 1);
    while (index < this.count && this.start(index) < end) {
      const left = this.start(index);
      const right = this.end(index);
      if (left < start && right > end) {
        bounds.splice(2 * index, 2, left, start, end, right);
        return;
      }
      if (left < start) {
        bounds[2 * index + 1] = start;
        index++;
      } else if (right > end) {
        bounds[2 * index] = end;
        return;
      } else {
        bounds.splice(2 * index, 2);
      }
    }
  }

  /** Forgets the range of the smallest numbers. */
  dropFirst(): void {
    this.#bounds.splice(0, 2);
  }

  clear(): void {
    this.#bounds.length = 0;
  }

  /** Index of the first range whose end is at or above `value`; `count` where there is none. */
  firstEndingAt(value: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.end(middle) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
