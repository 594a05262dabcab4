const CAPACITY = 8;
const NO_FRAMES: (Uint8Array | undefined)[] = [];
const NO_COSTS: number[] = [];

/**
 * Frames and their costs in order of arrival. The arrays, a power of two long, are made at the first use, double to what is needed and
 * are used again.
 */
export class Ring {
  #frames = NO_FRAMES;
  #costs = NO_COSTS;
  #head = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get capacity(): number {
    return this.#frames.length;
  }

  /** The cost of the first frame; 0 where there is none. */
  get headCost(): number {
    return this.#count === 0 ? 0 : this.#costs[this.#head]!;
  }

  push(frame: Uint8Array, cost: number): void {
    if (this.#count === this.#frames.length) this.#grow();
    const at = (this.#head + this.#count) & (this.#frames.length - 1);
    this.#frames[at] = frame;
    this.#costs[at] = cost;
    this.#count++;
  }

  /** Takes the oldest frame. */
  shift(): Uint8Array | undefined {
    if (this.#count === 0) return undefined;
    const frame = this.#frames[this.#head];
    this.#frames[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#frames.length - 1);
    this.#count--;
    return frame;
  }

  /** Takes the newest frame. */
  pop(): Uint8Array | undefined {
    if (this.#count === 0) return undefined;
    this.#count--;
    const at = (this.#head + this.#count) & (this.#frames.length - 1);
    const frame = this.#frames[at];
    this.#frames[at] = undefined;
    return frame;
  }

  #grow(): void {
    const capacity = this.#frames.length;
    const wanted = Math.max(CAPACITY, 2 * capacity);
    const frames = new Array<Uint8Array | undefined>(wanted).fill(undefined);
    const costs = new Array<number>(wanted).fill(0);
    for (let i = 0; i < this.#count; i++) {
      frames[i] = this.#frames[(this.#head + i) & (capacity - 1)];
      costs[i] = this.#costs[(this.#head + i) & (capacity - 1)]!;
    }
    this.#frames = frames;
    this.#costs = costs;
    this.#head = 0;
  }
}
