import { Budget } from "../wire/budget.js";
import { clockOf, PING, PONG } from "../wire/control.js";
import type { KeepAliveConfig } from "./config.js";

/** What a link is used for, which is how soon its silence is looked into. */
export const LinkUse = {
  /** No tree and no route leads over it. */
  NONE: 0,
  /** Only children are behind it: they ask first. */
  CHILD: 1,
  /** The parent in a tree is behind it, or data passed lately. */
  FULL: 2,
} as const;
export type LinkUse = (typeof LinkUse)[keyof typeof LinkUse];

/** What silence on the link calls for. */
export type Demand = "ping" | "dead" | undefined;

/**
 * Whether the neighbour of one link lives, and how far away it is. A link is pinged only in silence: after a time that follows its
 * use, or at once where something was sent and nothing came back for a second. A ping that no frame of any kind follows in time
 * means that the link is dead.
 *
 * `handleReceived` and `handleSent` note the traffic, `handleTimeout` says what to do, `pollPing` and `pollPong` give the frames.
 */
export class KeepAlive {
  use: LinkUse = LinkUse.NONE;
  /** Smoothed round-trip time and its mean deviation (RFC 6298, 2). */
  rttMs: number;
  rttVarMs: number;

  readonly #config: KeepAliveConfig;
  readonly #isLeafLink: boolean;
  readonly #asked: Budget;
  #receivedMs: number;
  /** When the first frame left that nothing was received after; Infinity where there is none. */
  #unansweredMs = Number.POSITIVE_INFINITY;
  #dataMs = Number.NEGATIVE_INFINITY;
  /** Since when a ping is to go out as soon as the link takes it; Infinity where none is. */
  #pingDueMs = Number.POSITIVE_INFINITY;
  #sentMs = Number.NEGATIVE_INFINITY;
  /** The token of the last ping, until its pong came; −1 without one. */
  #token = -1;
  #pingMs = 0;
  /** A ping is out and nothing came since. */
  #waiting = false;
  /** The token that the neighbour waits for, −1 without one. It has one ping out at a time: a later one replaces it. */
  #owed = -1;
  #owedClock = 0;

  /** `isLeafLink` where either end is a leaf, which is to wake rarely. */
  constructor(config: KeepAliveConfig, isLeafLink: boolean, rttMs: number, nowMs: number) {
    this.#config = config;
    this.#isLeafLink = isLeafLink;
    this.#receivedMs = nowMs;
    this.rttMs = rttMs;
    this.rttVarMs = rttMs / 2;
    this.#asked = new Budget(config.pingsPerSecond, config.pingsBurst, nowMs);
  }

  /** A frame came. `data` where it was a DATA frame. */
  handleReceived(data: boolean, nowMs: number): void {
    this.#receivedMs = nowMs;
    this.#unansweredMs = Number.POSITIVE_INFINITY;
    this.#pingDueMs = Number.POSITIVE_INFINITY;
    this.#waiting = false;
    if (data) this.#dataMs = nowMs;
  }

  /** A frame that is neither ping nor pong goes out. True where the silence may now have to be looked into earlier. */
  handleSent(data: boolean, nowMs: number): boolean {
    this.#sentMs = nowMs;
    if (data) this.#dataMs = nowMs;
    if (nowMs >= this.#unansweredMs) return false;
    this.#unansweredMs = nowMs;
    return true;
  }

  /** A pong is owed. False where the neighbour asks more often than any node needs to. */
  handlePing(token: number, nowMs: number): boolean {
    this.#owed = token;
    this.#owedClock = clockOf(nowMs);
    return this.#asked.take(nowMs);
  }

  /** False where no ping with that token is out. */
  handlePong(token: number, nowMs: number): boolean {
    if (token !== this.#token) return false;
    this.#token = -1;
    this.#measure(nowMs - this.#pingMs);
    return true;
  }

  /** Looks into the silence now: something casts doubt on the link. */
  doubt(nowMs: number): void {
    if (!this.#waiting) this.#pingDueMs = Math.min(this.#pingDueMs, nowMs);
  }

  handleTimeout(nowMs: number): Demand {
    if (nowMs < this.pollTimeout(nowMs)) return undefined;
    if (this.#waiting || this.#pingDueMs <= nowMs) return "dead";
    this.#pingDueMs = nowMs;
    return "ping";
  }

  /** When `handleTimeout` has something to say. */
  pollTimeout(nowMs: number): number {
    if (this.#waiting) return this.#deathMs(this.#pingMs);
    // A link that takes neither the ping nor anything else is full of what the neighbour does not read.
    if (this.#pingDueMs !== Number.POSITIVE_INFINITY) return this.#deathMs(Math.max(this.#pingDueMs, this.#sentMs));
    const unheardMs = Math.max(this.#unansweredMs, this.#receivedMs + this.#config.unheardMs);
    return Math.min(this.#receivedMs + this.#silenceMs(nowMs), unheardMs);
  }

  /** True where `pollPing` has one. */
  get isPingDue(): boolean {
    return this.#pingDueMs !== Number.POSITIVE_INFINITY;
  }

  pollPong(): Uint8Array | undefined {
    if (this.#owed < 0) return undefined;
    const pong = PONG.encode({ token: this.#owed, clock: this.#owedClock });
    this.#owed = -1;
    return pong;
  }

  /** `token` is a fresh random number: a neighbour that cannot guess it cannot answer early and seem near. */
  pollPing(token: () => number, nowMs: number): Uint8Array | undefined {
    if (!this.isPingDue) return undefined;
    this.#pingDueMs = Number.POSITIVE_INFINITY;
    this.#token = token();
    this.#pingMs = nowMs;
    this.#waiting = true;
    return PING.encode({ token: this.#token });
  }

  /** The ping waits since `askedMs`. A frame that nothing followed before it counts too, but the ping itself has some time. */
  #deathMs(askedMs: number): number {
    const { deadMs, answerMs } = this.#config;
    return Math.max(Math.min(this.#unansweredMs, askedMs) + deadMs, askedMs + answerMs);
  }

  #silenceMs(nowMs: number): number {
    const { usedMs, idleMs, leafMs, parentExtraMs, dataUseMs } = this.#config;
    if (nowMs - this.#dataMs < dataUseMs) return usedMs;
    const silenceMs = this.#isLeafLink ? leafMs : this.use === LinkUse.NONE ? idleMs : usedMs;
    return this.use === LinkUse.CHILD ? silenceMs + parentExtraMs : silenceMs;
  }

  #measure(sampleMs: number): void {
    this.rttVarMs = 0.75 * this.rttVarMs + 0.25 * Math.abs(this.rttMs - sampleMs);
    this.rttMs = 0.875 * this.rttMs + 0.125 * sampleMs;
  }
}
