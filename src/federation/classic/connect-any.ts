import type { Socket } from "node:net";
import { FederationError } from "../errors.js";
import type { Timers } from "../overlay.js";
import { CONNECT_GAP_MS, CONNECT_TIMEOUT_MS } from "./config.js";

/**
 * The first of several connections that stands: the next one is tried where the last has failed, or takes `CONNECT_GAP_MS`, beside it (RFC
 * 8305). Rejects with `PINYON_CLASSIC_CONNECT` where all have failed, or after `CONNECT_TIMEOUT_MS`. `addresses` has one at least.
 */
export function connectAny(
  addresses: readonly string[],
  connect: (address: string) => Socket,
  timers: Timers,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const race = new Race(addresses, connect, timers, resolve, reject);
    race.tryNext();
  });
}

class Race {
  readonly #open = new Set<Socket>();
  readonly #cancelAll: () => void;
  #tried = 0;
  #cancelNext: () => void = () => {};

  constructor(
    private readonly addresses: readonly string[],
    private readonly connect: (address: string) => Socket,
    private readonly timers: Timers,
    private readonly resolve: (socket: Socket) => void,
    private readonly reject: (error: FederationError) => void,
  ) {
    this.#cancelAll = timers.after(CONNECT_TIMEOUT_MS, () => this.#fail("no answer"));
  }

  tryNext(): void {
    this.#cancelNext();
    const address = this.addresses[this.#tried];
    if (address === undefined) return;
    this.#tried++;
    const socket = this.connect(address);
    this.#open.add(socket);
    // It stays: one that lost the race may fail, too.
    socket.on("error", (error: NodeJS.ErrnoException) => this.#handleError(socket, error));
    socket.once("connect", () => this.#win(socket));
    this.#cancelNext = this.timers.after(CONNECT_GAP_MS, () => this.tryNext());
  }

  #handleError(socket: Socket, error: NodeJS.ErrnoException): void {
    if (!this.#open.delete(socket)) return;
    if (this.#tried < this.addresses.length) this.tryNext();
    else if (this.#open.size === 0) this.#fail(`${error.code}`, error);
  }

  #win(socket: Socket): void {
    this.#open.delete(socket);
    this.#end();
    this.resolve(socket);
  }

  #fail(why: string, cause?: unknown): void {
    this.#end();
    this.reject(new FederationError("PINYON_CLASSIC_CONNECT", `${this.addresses.join(", ")}: ${why}`, { cause }));
  }

  #end(): void {
    this.#cancelNext();
    this.#cancelAll();
    for (const socket of this.#open) socket.destroy();
    this.#open.clear();
  }
}
