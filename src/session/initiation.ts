import type { SessionConfig } from "./config.js";
import type { NoiseInitiator } from "./noise.js";
import { withRoom } from "./packet.js";

/** Answers that are read, good or bad: each costs two agreements, and comes from whoever knows our index. */
const ANSWERS_MAX = 32;

/** Our side of a handshake that we began, until the peer showed that it has the keys: message 1 goes again and again. */
export class Initiation {
  readonly noise: NoiseInitiator;
  /** HANDSHAKE_INIT: the same each time it is sent. */
  readonly #packet: Uint8Array;
  #failsMs: number;
  #retryMs: number;
  #againMs: number;
  #due = true;
  #sentMs = 0;
  #sentCount = 0;
  #answersRead = 0;
  /** Sender indices of the answers that were taken. */
  readonly #taken: number[] = [];

  constructor(noise: NoiseInitiator, packet: Uint8Array, config: SessionConfig, nowMs: number) {
    this.noise = noise;
    this.#packet = packet;
    this.#failsMs = nowMs + config.handshakeTimeoutMs;
    this.#retryMs = config.handshakeRetryMs;
    this.#againMs = nowMs + config.handshakeRetryMs;
  }

  /** True where message 1 is to be sent. */
  get due(): boolean {
    return this.#due;
  }

  /** When `handleTimeout` must be called. */
  get deadlineMs(): number {
    return Math.min(this.#againMs, this.#failsMs);
  }

  /** True where another answer may be read, which is then counted. */
  mayRead(): boolean {
    return this.#answersRead++ < ANSWERS_MAX;
  }

  /**
   * True for an answer that was not taken before, by its sender index; then it is. A handshake that was answered does not fail any
   * more: what the session sends tells by its acknowledgements whether the peer is still there.
   */
  take(remoteIndex: number): boolean {
    if (this.#taken.includes(remoteIndex)) return false;
    this.#taken.push(remoteIndex);
    this.#failsMs = Number.POSITIVE_INFINITY;
    return true;
  }

  /** Round trip of an answer that comes now; undefined where it is not clear which message 1 it answers. */
  roundTripMs(nowMs: number): number | undefined {
    return this.#sentCount === 1 ? nowMs - this.#sentMs : undefined;
  }

  /** False where the handshake has failed; else message 1 goes again. */
  handleTimeout(nowMs: number): boolean {
    if (nowMs >= this.#failsMs) return false;
    this.#due = true;
    this.#retryMs *= 2;
    this.#againMs = nowMs + this.#retryMs;
    return true;
  }

  /** Message 1 goes again at once, by another route. */
  handleRouteChanged(): void {
    this.#due = true;
  }

  transmit(start: number, nowMs: number): Uint8Array {
    this.#due = false;
    this.#sentMs = nowMs;
    this.#sentCount++;
    return withRoom(this.#packet, start);
  }
}
