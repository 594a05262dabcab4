/** Bytes of a message that count, from its start and from its end: headers, and what authenticates the rest. */
const HEAD_BYTES = 96;
const TAIL_BYTES = 16;

/** A hash over everything that happens in a run, in order: two runs with one seed have the same (FNV-1a, twice 32 bits). */
export class EventHash {
  count = 0;
  #low = 0x811c_9dc5;
  #high = 0x1234_5678;

  add(timeMs: number, host: number, message: Uint8Array): void {
    this.count++;
    this.#mix(Math.round(timeMs * 1_000));
    this.#mix(host);
    this.#mix(message.length);
    const headEnd = Math.min(HEAD_BYTES, message.length);
    for (let i = 0; i < headEnd; i++) this.#mix(message[i]!);
    for (let i = Math.max(headEnd, message.length - TAIL_BYTES); i < message.length; i++) this.#mix(message[i]!);
  }

  toString(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x0100_0193);
    this.#high = Math.imul(this.#high ^ (value + 0x9e37), 0x0100_01b3);
  }
}
