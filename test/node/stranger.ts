import type { LinkEnd, Station } from "../../sim/link.js";
import type { Network } from "../../sim/network.js";
import { type Acquaintance, Hello, type HelloTerms } from "../../src/node/hello.js";
import { utf8 } from "../../src/wire/bytes.js";
import { clockOf, PING, PONG } from "../../src/wire/control.js";
import { Kind } from "../../src/wire/kinds.js";
import { termsOf } from "./hello-pair.js";

/** Terms that nodes of the test network accept. */
export function simTerms(seed: number, overrides: Partial<HelloTerms> = {}): HelloTerms {
  return termsOf(seed, { networkId: utf8("sim"), ...overrides });
}

/** Somebody on a link to a node of the test network who says what a test wants. */
export class Stranger implements Station {
  isReading = true;
  /** Pings are answered. */
  answers = true;
  readonly received: Uint8Array[] = [];
  isClosed = false;
  /** The code that the node closed the link with. */
  code: number | undefined;
  acquaintance: Acquaintance | undefined;
  readonly end: LinkEnd;
  #hello: Hello | undefined;

  /** Dials the node, or with `dialled` is dialled by it, and says nothing. */
  constructor(
    private readonly network: Network,
    node: number,
    options: { dialled?: boolean; expectedKey?: Uint8Array } = {},
  ) {
    const link = network.attach(this, node, options);
    this.end = link.ends[options.dialled === true ? 1 : 0];
  }

  /** Does an honest hello first, and answers pings from then on. */
  static acquainted(network: Network, node: number, terms: HelloTerms): Stranger {
    const stranger = new Stranger(network, node);
    stranger.greet(terms);
    network.runUntil(() => stranger.acquaintance !== undefined || stranger.isClosed, 1_000);
    return stranger;
  }

  greet(terms: HelloTerms): void {
    this.#hello = new Hello(terms, { dialled: this.end.dialled }, this.network.nowMs);
    this.#say();
  }

  send(...messages: readonly Uint8Array[]): void {
    for (const message of messages) this.end.send(message.slice());
  }

  handleMessage(_end: LinkEnd, message: Uint8Array): void {
    this.received.push(message);
    if (this.#hello === undefined) return;
    if (this.acquaintance === undefined) {
      this.#hello.handleMessage(message, this.network.nowMs);
      this.acquaintance = this.#hello.acquaintance;
      this.#say();
    } else if (this.answers && message[1] === Kind.PING) {
      const ping = PING.decode(message);
      if (typeof ping !== "number") this.send(PONG.encode({ ...ping, clock: clockOf(this.network.nowMs) }));
    }
  }

  handleClosed(_end: LinkEnd, code: number | undefined): void {
    this.isClosed = true;
    this.code = code;
  }

  handleWritable(): void {}

  #say(): void {
    for (let message = this.#hello!.pollTransmit(); message !== undefined; message = this.#hello!.pollTransmit())
      this.send(message);
  }
}
