import type { LinkEnd, Station } from "./link.js";
import type { Network } from "./network.js";

/**
 * Two attackers with a private line: what one honest node sends comes out at another as if the two were neighbours, until the line
 * goes silent.
 */
export class Wormhole implements Station {
  readonly isReading = true;
  isSilent = false;
  readonly #ends: [LinkEnd, LinkEnd];

  constructor(network: Network, a: number, b: number) {
    const near = network.attach(this, a, { dialled: true });
    const far = network.attach(this, b);
    this.#ends = [near.ends[1], far.ends[0]];
  }

  handleMessage(end: LinkEnd, message: Uint8Array): void {
    if (!this.isSilent) this.#other(end).send(message);
  }

  handleClosed(end: LinkEnd, code: number | undefined): void {
    this.#other(end).close(code);
  }

  handleWritable(): void {}

  #other(end: LinkEnd): LinkEnd {
    return this.#ends[0] === end ? this.#ends[1] : this.#ends[0];
  }
}
