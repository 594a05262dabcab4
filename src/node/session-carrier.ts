import { LRUCache } from "lru-cache";
import type { Route } from "../router/route.js";
import type { Router } from "../router/router.js";
import { SESSION_CODE_TEXT, SessionCode, SessionState } from "../session/codes.js";
import type { Endpoint } from "../session/endpoint.js";
import type { SessionEvent } from "../session/events.js";
import type { Session } from "../session/session.js";
import { toHex } from "../wire/bytes.js";
import {
  BIT_CONGESTION,
  dataBits,
  dataHeaderBytes,
  dataPayload,
  dataPortBefore,
  dataRouteBack,
  writeDataHeader,
} from "../wire/data.js";
import { SIGNATURE_BYTES } from "../wire/limits.js";
import { decodeNote } from "../wire/note.js";
import type { BallExchange } from "./ball-exchange.js";
import type { NodeConfig } from "./config.js";
import type { NodeEvent } from "./events.js";
import type { LocatorExchange } from "./locator-exchange.js";

/** The way to a key that sessions have packets for. */
interface Way {
  /** The route that the session knows of. */
  route: Route | undefined;
  /** A probing packet goes by a spare, beside the one that goes by the route. */
  isSpareDue: boolean;
  /** Packets sent by routes that no probe confirmed, since the last that one did. */
  unproved: number;
  /** A search for a route goes on, or failed, and none is begun before this. */
  searchMs: number;
  /** Packets by the route are a reason to ask whether balls are old from then on. */
  ballsAtMs: number;
}

const NO_ROOM = -1;

/**
 * Carries the packets of sessions as DATA frames: takes them from the endpoint as fast as the queues of the links have room, writes the
 * header with the route into the room before them, and gives the endpoint what arrives.
 */
export class SessionCarrier {
  readonly #ways: LRUCache<string, Way>;
  /** Ports whose queue had no room for own packets, and the frames that left it since. */
  readonly #full = new Map<number, number>();
  /** The route of the packet that the endpoint gives next. */
  #route: Route | undefined;
  /** Keys of whose ways the balls may be old. */
  readonly #ballsDue: Uint8Array[] = [];
  /** When a search that failed is to be begun again at the earliest; Infinity where nobody waits for one. */
  #retryMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly router: Router,
    private readonly balls: BallExchange,
    private readonly locators: LocatorExchange,
    private readonly config: NodeConfig,
    private readonly hasLink: (port: number) => boolean,
    private readonly emit: (event: NodeEvent) => void,
  ) {
    this.#ways = new LRUCache({ max: config.sessions.sessionsMax + config.sessions.halfOpenMax });
  }

  /** A DATA frame has arrived here. */
  handleFrame(frame: Uint8Array, ingress: number, nowMs: number): void {
    const congested = (dataBits(frame) & BIT_CONGESTION) !== 0;
    const verdict = this.endpoint.handlePacket(dataPayload(frame), ingress, congested, nowMs, dataPortBefore(frame));
    const { remoteKey } = verdict;
    if (remoteKey === undefined || (!verdict.newest && verdict.locator === undefined)) return;
    const back = dataRouteBack(frame, ingress);
    if (back.length > 0) this.router.paths.handleHint(remoteKey, back, nowMs);
  }

  /** There is a first, a better, or a newly confirmed route. */
  handleRoute(route: Route, nowMs: number): void {
    const way = this.#ways.peek(toHex(route.key));
    if (way === undefined) return;
    way.searchMs = Number.NEGATIVE_INFINITY;
    way.isSpareDue = false;
    if (way.route !== undefined && way.route !== route)
      this.endpoint.session(route.key)?.handleRouteChanged(nowMs, route.rttMs);
    if (route.isConfirmed) way.unproved = 0;
    way.route = route;
  }

  /** A search ended without a route: a session that never was ends, any other waits for the next search. */
  handleUnreachable(key: Uint8Array, nowMs: number): void {
    const way = this.#ways.peek(toHex(key));
    if (way === undefined) return;
    way.searchMs = nowMs + this.config.searchGapMs;
    this.#retryMs = Math.min(this.#retryMs, way.searchMs);
    const session = this.endpoint.session(key);
    if (session?.state !== SessionState.CONNECTING) return;
    session.close(SessionCode.UNREACHABLE, SESSION_CODE_TEXT[SessionCode.UNREACHABLE]!, nowMs);
  }

  /** A frame left the queue of a port, or there is none. True where own packets may have room there again. */
  handlePulled(port: number, isEmpty: boolean): boolean {
    const pulled = this.#full.get(port);
    if (pulled === undefined) return false;
    this.#full.set(port, pulled + 1);
    if (!isEmpty && pulled + 1 < this.config.refillFrames) return false;
    this.#full.delete(port);
    return true;
  }

  /** What the link takes, where that is what limits: sessions that go by it are to be no faster. */
  handlePace(port: number, bytesPerMs: number): void {
    for (const session of this.endpoint.sessions)
      if (this.#ways.peek(toHex(session.remoteKey))?.route?.ports[0] === port) session.handleLinkPace(bytesPerMs);
  }

  handleLinkDown(port: number): void {
    this.#full.delete(port);
  }

  handleTimeout(nowMs: number): void {
    this.endpoint.handleTimeout(nowMs);
    if (nowMs >= this.#retryMs) this.#retryMs = Number.POSITIVE_INFINITY;
  }

  pollTimeout(): number {
    return Math.min(this.endpoint.pollTimeout(), this.#retryMs);
  }

  /** Hands the sessions' packets to the router, and their events on. */
  pump(nowMs: number): void {
    const headroom = (key: Uint8Array) => this.#headroom(key, nowMs);
    if (this.#ballsDue.length > 0) this.#exchangeBalls(nowMs);
    for (let event = this.endpoint.pollEvent(); event !== undefined; event = this.endpoint.pollEvent()) {
      this.#handleEvent(event, nowMs);
    }
    for (;;) {
      const transmit = this.endpoint.pollTransmit(nowMs, headroom);
      if (transmit === undefined) return;
      const route = this.#route!;
      writeDataHeader(transmit.buffer, route.ports, route.routeId, transmit.remoteKey);
      this.router.paths.handleRouteUse(route, nowMs);
      this.router.forward(transmit.buffer, 0, nowMs);
    }
  }

  /** Balls are exchanged with the peers of established sessions that sent packets, where they are old. */
  #exchangeBalls(nowMs: number): void {
    for (const key of this.#ballsDue.splice(0)) {
      const session = this.endpoint.session(key);
      if (session?.state === SessionState.ESTABLISHED) this.balls.handleUse(session, nowMs);
    }
  }

  #handleEvent(event: SessionEvent, nowMs: number): void {
    switch (event.type) {
      case "path-doubt":
        this.#way(event.remoteKey, nowMs).isSpareDue = true;
        this.router.paths.handleRouteDoubt(event.remoteKey, event.ptoCount, nowMs);
        break;
      case "locator": {
        const bytes = event.locator.slice(0, -SIGNATURE_BYTES);
        const signature = event.locator.slice(-SIGNATURE_BYTES);
        this.router.paths.handleLocator(event.remoteKey, { bytes, signature });
        break;
      }
      case "note":
        if (!this.#handleNote(event.session, event.bytes, nowMs)) this.router.paths.stats.notesIgnored++;
        break;
      case "established":
        this.balls.handleUse(event.session, nowMs);
        this.emit(event);
        break;
      case "closed":
        this.balls.handleClosed(event.session);
        this.emit(event);
        break;
      default:
        this.emit(event);
    }
  }

  /** False where the note is of no use: of another version, not asked for, or over its rate. */
  #handleNote(session: Session, bytes: Uint8Array, nowMs: number): boolean {
    const note = decodeNote(bytes);
    switch (note?.type) {
      case "want":
        return this.balls.handleWant(session, note.size, nowMs);
      case "ball":
        return this.balls.handleBall(session, note, nowMs);
      case "locate":
        return this.locators.handleLocate(session, note.key, nowMs);
      case "located":
        return this.locators.handleLocated(note);
      default:
        return false;
    }
  }

  /** Bytes before a packet for the key; −1 where it must wait for a route, or for room in the queue of its link. */
  #headroom(key: Uint8Array, nowMs: number): number {
    const way = this.#way(key, nowMs);
    const route = (way.isSpareDue ? this.router.paths.spare(key) : undefined) ?? this.router.route(key);
    if (route === undefined) {
      this.#search(key, way, nowMs);
      return NO_ROOM;
    }
    // Bulk goes by routes that were confirmed once: a hint may be a lie that leads to somebody who never asked for it.
    const isProved = route.isConfirmed || route.rttMs > 0;
    if (!isProved && way.unproved >= this.config.unprovedPackets) return NO_ROOM;
    const port = route.ports[0]!;
    if (this.hasLink(port) && !this.router.hasRoomForOwn(port)) {
      if (!this.#full.has(port)) this.#full.set(port, 0);
      return NO_ROOM;
    }
    if (!isProved) way.unproved++;
    way.isSpareDue = false;
    way.route ??= route;
    if (nowMs >= way.ballsAtMs) {
      way.ballsAtMs = nowMs + this.config.ballRetryMs;
      this.#ballsDue.push(key);
    }
    this.#route = route;
    return dataHeaderBytes(route.ports.length);
  }

  #search(key: Uint8Array, way: Way, nowMs: number): void {
    // A handshake that somebody else began is answered by the way that it came by, or not: whoever invents keys has nothing searched.
    const session = this.endpoint.session(key);
    if (session === undefined || nowMs < way.searchMs) return;
    // An event tells when the search ends, unless the router had to forget it.
    way.searchMs = nowMs + this.config.requestTimeoutMs;
    this.router.paths.findRoute(key, undefined, nowMs, !session.initiator);
  }

  #way(key: Uint8Array, nowMs: number): Way {
    const name = toHex(key);
    let way = this.#ways.get(name);
    if (way === undefined) {
      way = { route: undefined, isSpareDue: false, unproved: 0, searchMs: Number.NEGATIVE_INFINITY, ballsAtMs: nowMs };
      this.#ways.set(name, way);
    }
    return way;
  }
}
