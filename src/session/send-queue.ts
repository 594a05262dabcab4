/** What waits in a `SendQueue`. */
export interface Sender {
  readonly remoteKey: Uint8Array;
  /** Written by the queue. */
  queued: boolean;
  hasPacket(nowMs: number): boolean;
}

/** Taken senders are removed from the list in batches. */
const BATCH = 64;
/** A sender that was held back is asked again after this long, if not before. */
const PASS_MS = 1;
/** Of many that are held back so many are asked again a millisecond: every packet that comes in is an occasion to ask them all. */
const ASKED_PER_MS = 256;

/**
 * Senders that may have a packet, in turns. One that may not send now is set aside until all others were looked at, so that it holds
 * up nobody and is not asked again and again; idle ones are not in the queue at all.
 */
export class SendQueue<Item extends Sender> {
  readonly #turnBytes: number;
  readonly #ready: Item[] = [];
  #head = 0;
  #sentBytes = 0;
  readonly #heldBack: Item[] = [];
  #passOver = false;
  #passMs = Number.NEGATIVE_INFINITY;

  /** Free bytes to leave before the packet of the sender that `next` gave. */
  start = 0;
  /** When `next` is to be called again for those whose turn to be asked was put off; Infinity where none was. */
  dueMs = Number.POSITIVE_INFINITY;

  constructor(turnBytes: number) {
    this.#turnBytes = turnBytes;
  }

  /** Puts a sender at the end, if it is not in the queue. */
  add(item: Item): void {
    if (item.queued) return;
    item.queued = true;
    this.#ready.push(item);
  }

  /** The sender whose turn it is, which has a packet and may send it; undefined where there is none. `handleSent` must follow. */
  next(nowMs: number, headroom: (remoteKey: Uint8Array) => number): Item | undefined {
    if (this.#passOver || nowMs >= this.#passMs + PASS_MS) this.#beginPass(nowMs);
    for (let item = this.#ready[this.#head]; item !== undefined; item = this.#ready[this.#head]) {
      if (!item.hasPacket(nowMs)) {
        item.queued = false;
        this.#shift();
        continue;
      }
      this.start = headroom(item.remoteKey);
      if (this.start >= 0) return item;
      this.#heldBack.push(item);
      this.#shift();
    }
    this.#passOver = true;
    return undefined;
  }

  /** The sender that `next` gave sent `sizeBytes`. */
  handleSent(sizeBytes: number): void {
    this.#sentBytes += sizeBytes;
    if (this.#sentBytes < this.#turnBytes) return;
    this.#ready.push(this.#ready[this.#head]!);
    this.#shift();
  }

  #beginPass(nowMs: number): void {
    const earliestMs = this.#passMs + Math.floor(this.#heldBack.length / ASKED_PER_MS);
    if (nowMs < earliestMs) {
      this.dueMs = earliestMs;
      return;
    }
    this.dueMs = Number.POSITIVE_INFINITY;
    this.#passOver = false;
    this.#passMs = nowMs;
    for (const item of this.#heldBack) this.#ready.push(item);
    this.#heldBack.length = 0;
  }

  #shift(): void {
    this.#sentBytes = 0;
    this.#head++;
    if (this.#head === this.#ready.length) {
      this.#ready.length = this.#head = 0;
    } else if (this.#head >= BATCH && 2 * this.#head >= this.#ready.length) {
      this.#ready.splice(0, this.#head);
      this.#head = 0;
    }
  }
}
