import { SessionCode } from "./codes.js";
import { INITIAL_WINDOW_BYTES } from "./frames.js";
import { RangeSet } from "./ranges.js";

/** Bytes of the blocks in which a stream is put together. */
export const RECEIVE_BLOCK_BYTES = 16_384;

/** A piece in order is kept as it came from this size on: its object then costs less than a hundredth of it. */
const KEPT_BYTES_MIN = 8_192;

interface Block {
  readonly bytes: Uint8Array;
  /** What is on the node's account for it. */
  readonly heldBytes: number;
}

/** A piece as it came, in the buffer that it came in. */
interface Kept extends Block {
  readonly offset: number;
}

/** What all streams of a node hold together, beside the next bytes of streams of which everything was read. */
export class ReceiveMemory {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** What became of a piece of a stream. The negative ones drop its packet unacknowledged, so that it comes again. */
export const Received = {
  /** Taken, or had before. */
  OK: 0,
  /** More separate pieces than `receiveRangesMax`. */
  RANGES_FULL: -1,
  /** No memory for it. */
  MEMORY_FULL: -2,
} as const;

/**
 * The receiving half of a stream. A byte has its place in a block of fixed offset, whatever order it comes in, so nothing is moved
 * and memory is bounded by the window, however the peer cuts its pieces. Only a large piece that comes in order, and fills half of the
 * buffer that it came in, is kept there and given to the reader as it is: so memory is twice the window at most. The first copy of a
 * byte wins.
 */
export class ReceiveStream {
  readonly #windowBytes: number;
  readonly #rangesMax: number;
  readonly #memory: ReceiveMemory;
  /** By offset / `RECEIVE_BLOCK_BYTES`. */
  readonly #blocks = new Map<number, Block>();
  /** In order. */
  readonly #kept: Kept[] = [];
  /** What came after the first gap. */
  readonly #ahead = new RangeSet();
  /** Everything below came. */
  #contiguous = 0;
  /** Everything below was read. */
  #readTo = 0;
  /** The peer may send below; what it was told last. */
  #limit = INITIAL_WINDOW_BYTES;
  #finalSize = Number.POSITIVE_INFINITY;
  #highest = 0;
  #closed = false;
  #onAccount = true;

  constructor(windowBytes: number, rangesMax: number, memory: ReceiveMemory) {
    this.#windowBytes = windowBytes;
    this.#rangesMax = rangesMax;
    this.#memory = memory;
  }

  /** Bytes that `read` gives at once. */
  get readableBytes(): number {
    return this.#contiguous - this.#readTo;
  }

  /** True where all bytes below an offset came. */
  hasTo(endOffset: number): boolean {
    return endOffset <= this.#contiguous;
  }

  /** True once everything up to the peer's end was read. */
  get isFinished(): boolean {
    return this.#readTo === this.#finalSize;
  }

  /** True where bytes are held that were not read. */
  get isWaiting(): boolean {
    return this.#highest > this.#readTo && !this.#closed;
  }

  /** True where the peer should be told that its window has grown: by a quarter, so that one WINDOW serves many packets. */
  get windowDue(): boolean {
    return !this.#closed && this.#finalSize > this.#limit && this.#nextLimit - this.#limit >= this.#windowBytes / 4;
  }

  /** The limit for a WINDOW frame; it counts as told. */
  takeLimit(): number {
    this.#limit = Math.max(this.#limit, this.#nextLimit);
    return this.#limit;
  }

  /**
   * Takes `bytes[start … end - 1]`, which belong at `offset`. Gives `Received`, or a positive `SessionCode` for which the session ends.
   */
  insert(bytes: Uint8Array, start: number, end: number, offset: number, fin: boolean): number {
    if (this.#closed) return Received.OK;
    const endOffset = offset + end - start;
    if (endOffset > this.#limit) return SessionCode.FLOW_CONTROL;
    if (endOffset > this.#finalSize || (fin && !this.#acceptsEnd(endOffset))) return SessionCode.FINAL_SIZE;
    const from = Math.max(offset, this.#contiguous);
    if (from < endOffset) {
      const verdict = this.#place(bytes, start - offset, from, endOffset);
      if (verdict !== Received.OK) return verdict;
    }
    if (fin) this.#finalSize = endOffset;
    this.#highest = Math.max(this.#highest, endOffset);
    return Received.OK;
  }

  /** The next bytes in order, at most `bytesMax`; undefined where there are none. The caller owns them. */
  read(bytesMax: number): Uint8Array | undefined {
    if (this.readableBytes === 0 || bytesMax <= 0) return undefined;
    const kept = this.#kept[0];
    const number = Math.floor(this.#readTo / RECEIVE_BLOCK_BYTES);
    const isKept = kept !== undefined && kept.offset <= this.#readTo;
    const { bytes } = isKept ? kept : this.#blocks.get(number)!;
    const from = this.#readTo - (isKept ? kept.offset : number * RECEIVE_BLOCK_BYTES);
    const untilKept = isKept || kept === undefined ? Number.POSITIVE_INFINITY : kept.offset - this.#readTo;
    const length = Math.min(this.readableBytes, bytes.length - from, untilKept, bytesMax);
    this.#readTo += length;
    if (isKept && from + length === bytes.length) this.#release(this.#kept.shift());
    if (this.#readTo >= (number + 1) * RECEIVE_BLOCK_BYTES) {
      this.#release(this.#blocks.get(number));
      this.#blocks.delete(number);
    }
    return bytes.subarray(from, from + length);
  }

  /** Takes no more; what came in order can still be read. */
  end(): void {
    this.#closed = true;
  }

  /** The node holds it no longer: whoever still reads does. */
  leaveAccount(): void {
    if (!this.#onAccount) return;
    this.#onAccount = false;
    for (const block of this.#blocks.values()) this.#memory.give(block.heldBytes);
    for (const kept of this.#kept) this.#memory.give(kept.heldBytes);
  }

  /** The stream is dead: forgets everything, and takes no more. */
  close(): void {
    this.end();
    this.leaveAccount();
    this.#blocks.clear();
    this.#kept.length = 0;
    this.#ahead.clear();
    this.#readTo = this.#contiguous;
    this.#finalSize = Number.POSITIVE_INFINITY;
  }

  get #nextLimit(): number {
    return this.#readTo + this.#windowBytes;
  }

  #acceptsEnd(endOffset: number): boolean {
    return (
      endOffset >= this.#highest && (this.#finalSize === endOffset || this.#finalSize === Number.POSITIVE_INFINITY)
    );
  }

  /** Takes what is new of [from, end); the byte of offset o is `bytes[o + shift]`. */
  #place(bytes: Uint8Array, shift: number, from: number, end: number): number {
    const ahead = this.#ahead;
    const isLarge = end - from >= KEPT_BYTES_MIN && 2 * (end - from) >= bytes.buffer.byteLength;
    if (isLarge && from === this.#contiguous && ahead.count === 0) {
      return this.#keep(bytes.subarray(from + shift, end + shift), from);
    }
    if (from > this.#contiguous && ahead.count >= this.#rangesMax) return Received.RANGES_FULL;
    if (!this.#reserve(from, end)) return Received.MEMORY_FULL;
    let at = from;
    for (let i = ahead.firstEndingAt(from + 1); i < ahead.count && ahead.start(i) < end; i++) {
      this.#copy(bytes, shift, at, ahead.start(i));
      at = Math.max(at, ahead.end(i));
    }
    this.#copy(bytes, shift, at, end);
    if (from > this.#contiguous) {
      ahead.insert(from, end);
      return Received.OK;
    }
    this.#contiguous = end;
    while (ahead.count > 0 && ahead.start(0) <= this.#contiguous) {
      this.#contiguous = Math.max(this.#contiguous, ahead.end(0));
      ahead.dropFirst();
    }
    return Received.OK;
  }

  /** Takes the next bytes as they came. */
  #keep(bytes: Uint8Array, offset: number): number {
    const heldBytes = this.readableBytes === 0 ? 0 : bytes.buffer.byteLength;
    if (!this.#memory.take(heldBytes)) return Received.MEMORY_FULL;
    this.#kept.push({ bytes, heldBytes, offset });
    this.#contiguous += bytes.length;
    return Received.OK;
  }

  /**
   * Makes the blocks that [from, end) touches; false where there is no memory. What comes next is always taken where nothing is left
   * to read, so that a stream gets on whatever the others hold.
   */
  #reserve(from: number, end: number): boolean {
    const isNext = from === this.#contiguous && this.readableBytes === 0;
    const heldBytes = isNext ? 0 : RECEIVE_BLOCK_BYTES;
    const last = Math.floor((end - 1) / RECEIVE_BLOCK_BYTES);
    for (let number = Math.floor(from / RECEIVE_BLOCK_BYTES); number <= last; number++) {
      if (this.#blocks.has(number)) continue;
      if (!this.#memory.take(heldBytes)) return false;
      this.#blocks.set(number, { bytes: new Uint8Array(RECEIVE_BLOCK_BYTES), heldBytes });
    }
    return true;
  }

  #copy(bytes: Uint8Array, shift: number, from: number, end: number): void {
    for (let offset = from; offset < end; ) {
      const number = Math.floor(offset / RECEIVE_BLOCK_BYTES);
      const at = offset - number * RECEIVE_BLOCK_BYTES;
      const length = Math.min(end - offset, RECEIVE_BLOCK_BYTES - at);
      this.#blocks.get(number)!.bytes.set(bytes.subarray(offset + shift, offset + shift + length), at);
      offset += length;
    }
  }

  #release(block: Block | undefined): void {
    if (block !== undefined && this.#onAccount) this.#memory.give(block.heldBytes);
  }
}
