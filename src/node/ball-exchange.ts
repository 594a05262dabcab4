import { idOf } from "../router/entry.js";
import type { Paths } from "../router/paths.js";
import type { Session } from "../session/session.js";
import { Budget } from "../wire/budget.js";
import { type BallNote, encodeBall, encodeWant, NOTE_RECORDS_BYTES_MAX } from "../wire/note.js";
import type { NodeConfig } from "./config.js";

/** A route longer than this many times the reach of both balls may have a shorter one outside them. */
const REACH_FACTOR = 1.5;

/** What is exchanged with one peer. */
interface Exchange {
  readonly session: Session;
  /** Records of each ball. */
  size: number;
  /** Records of the peer's ball that may still come. */
  awaited: number;
  /** The own ball is to be sent, of so many records; 0 where it is not. */
  wanted: number;
  /** The join is to be made as soon as the own ball is grown. */
  isJoinDue: boolean;
  /** The neighbours of the route that was joined were asked as well. */
  isWide: boolean;
  readonly wants: Budget;
  nextMs: number;
}

/**
 * Two nodes with a session send each other their balls and join them, for the shortest route and a spare that shares no node with it.
 * It begins with few records each, and doubles them while what was joined is long beside how far the balls reach.
 */
export class BallExchange {
  readonly #exchanges = new Map<Session, Exchange>();
  #isDue = false;

  constructor(
    private readonly paths: Paths,
    private readonly config: NodeConfig,
  ) {}

  /** The session was established, or is in use: balls are exchanged, where they were not for some minutes. */
  handleUse(session: Session, nowMs: number): void {
    const exchange = this.#exchange(session, nowMs);
    if (nowMs < exchange.nextMs) return;
    this.#begin(exchange, this.config.ballStart, nowMs);
  }

  handleClosed(session: Session): void {
    this.#exchanges.delete(session);
  }

  /** The peer wants the own ball, of so many records. False where it does so too often. */
  handleWant(session: Session, size: number, nowMs: number): boolean {
    const exchange = this.#exchange(session, nowMs);
    if (!exchange.wants.take(nowMs)) return false;
    exchange.wanted = Math.min(Math.max(1, size), this.config.paths.ballMax);
    this.paths.balls.grow(exchange.wanted, nowMs);
    this.#isDue = true;
    return true;
  }

  /** A part of the peer's ball: no more is taken than was asked for. False where nothing was. */
  handleBall(session: Session, { records, isLast }: BallNote, nowMs: number): boolean {
    const exchange = this.#exchange(session, nowMs);
    if (exchange.awaited <= 0) return false;
    exchange.awaited -= Math.max(1, this.paths.balls.handleRecords(records, nowMs, exchange.awaited));
    if (!isLast) return true;
    exchange.awaited = 0;
    exchange.isJoinDue = this.#isDue = true;
    return true;
  }

  /** The own ball may be grown now. True where sessions have something to say for it. */
  handleProgress(nowMs: number): boolean {
    if (!this.#isDue || !this.paths.balls.isGrown) return false;
    this.#isDue = false;
    for (const exchange of this.#exchanges.values()) {
      if (exchange.wanted > 0) this.#send(exchange, nowMs);
      if (exchange.isJoinDue) this.#join(exchange, nowMs);
    }
    return true;
  }

  #begin(exchange: Exchange, size: number, nowMs: number): void {
    const { session } = exchange;
    exchange.nextMs = nowMs + this.config.ballRetryMs;
    exchange.size = size;
    exchange.isJoinDue = false;
    exchange.isWide = false;
    exchange.awaited = size;
    const { balls } = this.paths;
    balls.grow(size, nowMs);
    // Who only answers learns the way from the packets that come, and asks nobody for a stranger's sake.
    const route = session.initiator ? this.paths.route(session.remoteKey) : undefined;
    if (route !== undefined) balls.askAlong(route.ports, nowMs);
    session.note(encodeWant(size));
  }

  #send(exchange: Exchange, nowMs: number): void {
    const parts = this.paths.balls.parts(exchange.wanted, NOTE_RECORDS_BYTES_MAX, nowMs);
    exchange.wanted = 0;
    for (const note of encodeBall(parts)) exchange.session.note(note);
  }

  #join(exchange: Exchange, nowMs: number): void {
    exchange.isJoinDue = false;
    exchange.nextMs = nowMs + this.config.paths.recordMs;
    const { remoteKey } = exchange.session;
    const delayMs = this.paths.join(remoteKey, nowMs);
    const reachMs = this.paths.balls.reachMs(undefined, nowMs) + this.paths.balls.reachMs(idOf(remoteKey), nowMs);
    const size = 2 * exchange.size;
    if (delayMs <= REACH_FACTOR * reachMs) return;
    if (size <= this.config.paths.ballMax) this.#begin(exchange, size, nowMs);
    else if (!exchange.isWide && exchange.session.initiator) this.#widen(exchange, nowMs);
  }

  /** The balls do not meet: what is beside the route between them is looked at, once. */
  #widen(exchange: Exchange, nowMs: number): void {
    const route = this.paths.route(exchange.session.remoteKey);
    if (route === undefined) return;
    exchange.isWide = true;
    this.paths.balls.askAround(route.ports, nowMs);
    exchange.isJoinDue = this.#isDue = true;
  }

  #exchange(session: Session, nowMs: number): Exchange {
    let exchange = this.#exchanges.get(session);
    if (exchange === undefined) {
      const { ballWantsPerS, ballWantsBurst } = this.config;
      const wants = new Budget(ballWantsPerS, ballWantsBurst, nowMs);
      const none = {
        size: 0,
        awaited: 0,
        wanted: 0,
        isJoinDue: false,
        isWide: false,
        nextMs: Number.NEGATIVE_INFINITY,
      };
      exchange = { session, wants, ...none };
      this.#exchanges.set(session, exchange);
    }
    return exchange;
  }
}
