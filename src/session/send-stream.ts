import { INITIAL_WINDOW_BYTES } from "./frames.js";
import { RangeSet } from "./ranges.js";

/** Writes smaller than this are copied to blocks of our own, neighbours into one chunk, so that many small ones do not cost an object each. */
const SMALL_WRITE_BYTES = 512;
const GATHER_BLOCK_BYTES = 2_048;
/** Acknowledged chunks are taken off the list in batches. */
const CHUNK_BATCH = 64;

interface Chunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
  length: number;
}

/** The sending half of a stream: what was written and not acknowledged, what of it was lost, and what was never sent. */
export class SendStream {
  /** In order of offset; those before `#firstChunk` are acknowledged. */
  readonly #chunks: Chunk[] = [];
  #firstChunk = 0;
  /** Everything below is acknowledged. */
  #base = 0;
  /** Acknowledged above the base. */
  readonly #acked = new RangeSet();
  /** To be sent again. */
  readonly #lost = new RangeSet();
  /** First byte never sent. */
  #next = 0;
  #end = 0;
  #finished = false;
  #finPending = false;
  #finAcked = false;
  #limit = INITIAL_WINDOW_BYTES;
  #closed = false;
  /** Where small writes go; its first bytes are used. */
  #block = new Uint8Array(0);
  #blockUsed = 0;

  /** The piece that `take` took. */
  pieceOffset = 0;
  pieceLength = 0;
  pieceFin = false;
  /** True where the piece was sent before. */
  pieceAgain = false;

  /** Bytes written and never sent. */
  get unsentBytes(): number {
    return this.#end - this.#next;
  }

  /** True where something is to be sent and the peer's window lets it. */
  get hasWork(): boolean {
    if (this.#lost.count > 0 || this.#next < Math.min(this.#end, this.#limit)) return true;
    return this.#finPending && this.#next === this.#end;
  }

  /** Offset of the piece that `take` would take. */
  get nextOffset(): number {
    return this.#lost.count > 0 ? this.#lost.start(0) : this.#next;
  }

  /** True where something was written that the peer has not acknowledged. */
  get isWaiting(): boolean {
    return this.#base < this.#end || (this.#finished && !this.#finAcked);
  }

  /** False once finished or closed. */
  get isWritable(): boolean {
    return !this.#finished && !this.#closed;
  }

  /** Takes up to `room` bytes of `bytes`; gives how many. They are kept, not copied, until acknowledged, save small writes. */
  write(bytes: Uint8Array, room: number): number {
    const length = Math.min(bytes.length, room);
    if (length <= 0 || !this.isWritable) return 0;
    if (length < SMALL_WRITE_BYTES) this.#gather(bytes, length);
    else this.#chunks.push({ offset: this.#end, bytes, length });
    this.#end += length;
    return length;
  }

  /** Nothing more will be written: the end goes with the last bytes. */
  finish(): void {
    if (!this.isWritable) return;
    this.#finished = true;
    this.#finPending = true;
  }

  /** The stream is dead: forgets everything. */
  close(): void {
    this.#closed = true;
    this.#chunks.length = 0;
    this.#firstChunk = 0;
    this.#acked.clear();
    this.#lost.clear();
    this.#base = this.#next = this.#end;
    this.#finPending = false;
    this.#finAcked = true;
  }

  /** The peer takes bytes below `limit`. */
  handleWindow(limit: number): void {
    this.#limit = Math.max(this.#limit, limit);
  }

  /** Chooses the next piece, of at most `bytesMax` bytes, lost ones first. Only where `hasWork`. */
  take(bytesMax: number): void {
    this.pieceAgain = this.#lost.count > 0;
    if (this.pieceAgain) {
      this.pieceOffset = this.#lost.start(0);
      this.pieceLength = Math.min(bytesMax, this.#lost.end(0) - this.pieceOffset);
      this.#lost.remove(this.pieceOffset, this.pieceOffset + this.pieceLength);
    } else {
      this.pieceOffset = this.#next;
      this.pieceLength = Math.min(bytesMax, Math.min(this.#end, this.#limit) - this.#next);
      this.#next += this.pieceLength;
    }
    this.pieceFin = this.#finished && this.pieceOffset + this.pieceLength === this.#end;
    if (this.pieceFin) this.#finPending = false;
  }

  /** Copies the piece that `take` took to `out`. */
  copyPiece(out: Uint8Array, at: number): void {
    let offset = this.pieceOffset;
    const end = offset + this.pieceLength;
    for (let index = this.#chunkIndexOf(offset); offset < end; index++) {
      const chunk = this.#chunks[index]!;
      const from = offset - chunk.offset;
      const length = Math.min(end - offset, chunk.length - from);
      out.set(chunk.bytes.subarray(from, from + length), at + offset - this.pieceOffset);
      offset += length;
    }
  }

  /** The peer has this piece. */
  handleAcked(offset: number, length: number, fin: boolean): void {
    if (this.#closed) return;
    if (fin) {
      this.#finAcked = true;
      this.#finPending = false;
    }
    const end = offset + length;
    this.#lost.remove(offset, end);
    if (offset > this.#base) {
      this.#acked.insert(offset, end);
      return;
    }
    if (end <= this.#base) return;
    this.#base = end;
    while (this.#acked.count > 0 && this.#acked.start(0) <= this.#base) {
      this.#base = Math.max(this.#base, this.#acked.end(0));
      this.#acked.dropFirst();
    }
    this.#lost.remove(0, this.#base);
    this.#freeChunks();
  }

  /** This piece must go again, save what is acknowledged. */
  handleLost(offset: number, length: number, fin: boolean): void {
    if (this.#closed) return;
    if (fin && !this.#finAcked) this.#finPending = true;
    this.#lost.insert(Math.max(offset, this.#base), offset + length);
  }

  #gather(bytes: Uint8Array, length: number): void {
    if (this.#blockUsed + length > this.#block.length) {
      this.#block = new Uint8Array(GATHER_BLOCK_BYTES);
      this.#blockUsed = 0;
    }
    const room = this.#block.subarray(this.#blockUsed);
    room.set(bytes.subarray(0, length));
    const last = this.#chunks.at(-1);
    const isNext = last?.bytes.buffer === room.buffer && last.bytes.byteOffset + last.length === room.byteOffset;
    if (isNext) last.length += length;
    else this.#chunks.push({ offset: this.#end, bytes: room, length });
    this.#blockUsed += length;
  }

  #chunkIndexOf(offset: number): number {
    let low = this.#firstChunk;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#chunks[middle]!.offset <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #freeChunks(): void {
    const chunks = this.#chunks;
    let first = this.#firstChunk;
    while (first < chunks.length && chunks[first]!.offset + chunks[first]!.length <= this.#base) first++;
    if (first === chunks.length) {
      chunks.length = first = 0;
    } else if (first >= CHUNK_BATCH && 2 * first >= chunks.length) {
      chunks.splice(0, first);
      first = 0;
    }
    this.#firstChunk = first;
  }
}
