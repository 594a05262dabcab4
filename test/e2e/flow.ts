/** Bytes of one write of a flow: whole words, each the number of the word before and one more. */
export const FLOW_WRITE_BYTES = 200;
const WORD_BYTES = 4;

/** What the receiver of a flow has seen. */
export interface FlowReport {
  /** What the sender is called. */
  readonly from: string;
  readonly receivedBytes: number;
  /** Bytes came that are not those that were sent, in their order. */
  readonly isCorrupt: boolean;
  /** The longest time without a byte since the last mark, up to now. */
  readonly pauseMs: number;
}

/** The next bytes of a flow of which so many were sent. */
export function flowBytes(sentBytes: number): Buffer {
  const bytes = Buffer.alloc(FLOW_WRITE_BYTES);
  for (let at = 0; at < bytes.length; at += WORD_BYTES) bytes.writeUInt32BE((sentBytes + at) / WORD_BYTES, at);
  return bytes;
}

/** The receiving end of a flow: checks each byte, and notes the longest pause. */
export class FlowReceiver {
  #receivedBytes = 0;
  #isCorrupt = false;
  #pauseMs = 0;
  #lastMs: number;

  constructor(
    readonly from: string,
    nowMs: number,
  ) {
    this.#lastMs = nowMs;
  }

  receive(bytes: Uint8Array, nowMs: number): void {
    for (const byte of bytes) {
      const word = Math.floor(this.#receivedBytes / WORD_BYTES);
      const shift = 8 * (WORD_BYTES - 1 - (this.#receivedBytes % WORD_BYTES));
      if (byte !== ((word >>> shift) & 0xff)) this.#isCorrupt = true;
      this.#receivedBytes++;
    }
    this.#pauseMs = Math.max(this.#pauseMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }

  /** Pauses count from now on. */
  mark(nowMs: number): void {
    this.#pauseMs = 0;
    this.#lastMs = nowMs;
  }

  report(nowMs: number): FlowReport {
    const pauseMs = Math.max(this.#pauseMs, nowMs - this.#lastMs);
    return { from: this.from, receivedBytes: this.#receivedBytes, isCorrupt: this.#isCorrupt, pauseMs };
  }
}
