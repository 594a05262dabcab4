/** Packet numbers that may come late and still be told from replayed ones: 256 bytes of state. */
export const REPLAY_WINDOW_PACKETS = 2_048;

const WORD_BITS = 32;
const WORDS = REPLAY_WINDOW_PACKETS / WORD_BITS;
/** One word is always being cleared, so it does not count as window. */
const WINDOW = REPLAY_WINDOW_PACKETS - WORD_BITS;

/** Which packet numbers were received (RFC 6479: a ring of bits that moves by whole words). */
export class ReplayWindow {
  readonly #words = new Uint32Array(WORDS);
  #largest = -1;

  /** Highest number received, -1 before the first. */
  get largest(): number {
    return this.#largest;
  }

  /** True where `number` was received before, or is so old that it may have been. */
  isReplay(number: number): boolean {
    if (number > this.#largest) return false;
    if (number <= this.#largest - WINDOW) return true;
    return (this.#words[wordOf(number)]! & bitOf(number)) !== 0;
  }

  /** Marks `number` as received. Only for a packet that authenticated and is no replay. */
  mark(number: number): void {
    if (number > this.#largest) {
      const newWords = Math.floor(number / WORD_BITS) - Math.floor(Math.max(this.#largest, 0) / WORD_BITS);
      for (let i = 0; i < Math.min(newWords, WORDS); i++) this.#words[wordOf(number - i * WORD_BITS)] = 0;
      this.#largest = number;
    }
    const word = wordOf(number);
    this.#words[word] = this.#words[word]! | bitOf(number);
  }
}

function wordOf(number: number): number {
  return Math.floor(number / WORD_BITS) % WORDS;
}

function bitOf(number: number): number {
  return 1 << (number % WORD_BITS);
}
