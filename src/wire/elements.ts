/** An element of a control message: an unsigned integer, bytes, or a list of those. */
export type Element = number | Uint8Array | (number | Uint8Array)[];

/** Reads the elements of messages that `skim` found well-formed, so every length is inside the message. Bytes are views of it. */
export class ElementReader {
  #message: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** Begins with a message's first element; gives how many there are. */
  begin(message: Uint8Array): number {
    this.#message = message;
    this.#at = 1;
    return message[0]! & 0x0f;
  }

  next(): Element {
    const head = this.#message[this.#at]!;
    if (head >>> 4 === 0x9) return this.#list(head & 0x0f, 1);
    if (head === 0xdc) return this.#list((this.#message[this.#at + 1]! << 8) | this.#message[this.#at + 2]!, 3);
    return this.#scalar();
  }

  #list(length: number, headBytes: number): (number | Uint8Array)[] {
    this.#at += headBytes;
    const elements: (number | Uint8Array)[] = [];
    for (let i = 0; i < length; i++) elements.push(this.#scalar());
    return elements;
  }

  #scalar(): number | Uint8Array {
    const head = this.#message[this.#at++]!;
    if (head < 0x80) return head;
    // bin 8, 16, 32 are c4 to c6, uint 8, 16, 32, 64 are cc to cf.
    const isBinary = head <= 0xc6;
    let value = 0;
    for (let left = 1 << (head - (isBinary ? 0xc4 : 0xcc)); left > 0; left--)
      value = value * 256 + this.#message[this.#at++]!;
    if (!isBinary) return value;
    this.#at += value;
    return this.#message.subarray(this.#at - value, this.#at);
  }
}
