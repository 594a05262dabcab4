import { LRUCache } from "lru-cache";
import { KEY_BYTES } from "../crypto/crypto.js";
import { compareBytes, equalBytes } from "../wire/bytes.js";
import { PacketDrop, SESSION_CODE_TEXT, SessionCode, SessionState } from "./codes.js";
import { checkSessionConfig, type SessionConfig } from "./config.js";
import { DeadlineQueue } from "./deadline-queue.js";
import type { SessionEvent } from "./events.js";
import type { HalfOpen } from "./half-open.js";
import { type HandshakeOptions, Handshaker } from "./handshake.js";
import { HandshakeRate } from "./handshake-rate.js";
import { ephemeralOf, PACKET_BYTES_MAX, PacketType, packetType, receiverIndexOf } from "./packet.js";
import { ReceiveMemory } from "./receive-stream.js";
import { SendQueue } from "./send-queue.js";
import { SentPacketPool } from "./sent-packets.js";
import { Session } from "./session.js";
import type { SessionHost } from "./session-host.js";
import { EndpointStats } from "./stats.js";
import { readUint32 } from "./varint.js";

const INDEX_ATTEMPTS = 16;
const NOTHING = new Uint8Array(0);

/** What a node gives its sessions. */
export type EndpointOptions = HandshakeOptions;

/** A packet to send; valid until the next poll, save `buffer`, which is the caller's. */
export interface Transmit {
  remoteKey: Uint8Array;
  /** The packet fills it from `start` to its end; before that is room for the caller's header. */
  buffer: Uint8Array;
  start: number;
}

/** What became of a received packet; valid until the next one. */
export interface PacketVerdict {
  /** `PacketDrop`; NONE where it was accepted. */
  drop: number;
  /** Whose packet it was, where that is sure: it authenticated. */
  remoteKey: Uint8Array | undefined;
  /** True where it has the highest number of its session so far: the peer's newest way here. A replayed packet never has. */
  newest: boolean;
  /** The sender's locator, in an accepted HANDSHAKE_INIT. That may be a replayed one: newest stays false. */
  locator: Uint8Array | undefined;
}

/**
 * All sessions of a node: four verbs.
 *
 * 1. `handlePacket` takes what DATA frames carried, `connect` and the methods of `Session` what the node's user wants.
 * 2. `handleTimeout` is called when `pollTimeout` says so.
 * 3. `pollTransmit` gives packets, `pollEvent` events: after each input, until both give undefined.
 * 4. `pollTimeout` gives the time of the next `handleTimeout`.
 *
 * Whatever is received, nothing is thrown. Time never runs back.
 */
export class Endpoint implements SessionHost {
  readonly config: SessionConfig;
  readonly pool = new SentPacketPool();
  readonly memory: ReceiveMemory;
  readonly frames = new Uint8Array(PACKET_BYTES_MAX);
  readonly stats = new EndpointStats();

  readonly #options: EndpointOptions;
  readonly #handshaker: Handshaker;
  readonly #rate: HandshakeRate;
  #nowMs: number;
  #nextId = 1;

  /** Whom a packet's receiver index means. */
  readonly #byIndex = new Map<number, Session | HalfOpen>();
  /** The session with each peer that is connecting or established. */
  readonly #byKey = new Map<string, Session>();
  /**
   * Half-open sessions by the ephemeral key of their message 1, the oldest first. A peer may have several: were there one a peer, an old
   * message 1 of its, replayed all the time, would keep its new one out.
   */
  readonly #halfOpen: LRUCache<string, HalfOpen>;
  /** Sessions that peers began, by the same. */
  readonly #byEphemeral = new Map<string, Session>();

  readonly #queue: SendQueue<Session | HalfOpen>;
  readonly #deadlines = new DeadlineQueue<Session>();
  /** Sessions whose deadline may have changed since the queue of deadlines was brought up to date. */
  readonly #touched: Session[] = [];
  readonly #events: SessionEvent[] = [];
  #eventsTaken = 0;
  readonly #verdict: PacketVerdict = { drop: 0, remoteKey: undefined, newest: false, locator: undefined };
  readonly #transmit: Transmit = { remoteKey: NOTHING, buffer: NOTHING, start: 0 };

  constructor(options: EndpointOptions, nowMs: number) {
    checkSessionConfig(options.config);
    this.#options = options;
    this.config = options.config;
    this.#nowMs = nowMs;
    this.memory = new ReceiveMemory(options.config.receiveMemoryBytesMax);
    this.#handshaker = new Handshaker(options);
    this.#rate = new HandshakeRate(options.config, this.stats);
    this.#queue = new SendQueue(options.config.turnBytes);
    this.#halfOpen = new LRUCache({
      max: options.config.halfOpenMax,
      dispose: (halfOpen, _ephemeral, reason) => {
        if (reason === "evict") this.stats.halfOpenEvicted++;
        halfOpen.answerDue = false;
        this.#byIndex.delete(halfOpen.index);
      },
    });
  }

  /** Sessions that are connecting or established. */
  get sessions(): IterableIterator<Session> {
    return this.#byKey.values();
  }

  get sessionCount(): number {
    return this.#byKey.size;
  }

  get halfOpenCount(): number {
    return this.#halfOpen.size;
  }

  /** The session with a peer that is connecting or established. */
  session(remoteKey: Uint8Array): Session | undefined {
    return this.#byKey.get(nameOf(remoteKey));
  }

  /**
   * The session with a peer: the one that there is, or a new one, of which `established` or `closed` will tell. Undefined, and counted,
   * where there is no room for another or `remoteKey` is not the key of another node.
   */
  connect(remoteKey: Uint8Array, nowMs: number): Session | undefined {
    this.#advance(nowMs);
    const name = nameOf(remoteKey);
    const present = this.#byKey.get(name);
    if (present !== undefined) return present;
    if (remoteKey.length !== KEY_BYTES || name === nameOf(this.#options.identity.publicKey)) {
      this.stats.connectsRefusedKey++;
      return undefined;
    }
    const index = this.#hasRoom(true, nowMs) ? this.#newIndex() : undefined;
    if (index === undefined) {
      this.stats.connectsRefusedFull++;
      return undefined;
    }
    const initiation = this.#handshaker.begin(remoteKey, index, nowMs);
    if (initiation === undefined) {
      this.stats.connectsRefusedKey++;
      return undefined;
    }
    const session = this.#newSession(remoteKey.slice(), index, nowMs);
    session.begin(initiation);
    return session;
  }

  /**
   * Takes one packet, from any byte string whatever. `ingressPort` is the link that it came by, `congested` the DATA frame's congestion
   * bit, `portBefore` the port by which the neighbour had it, 0 where that is not known. The packet belongs to the endpoint from now on:
   * it is opened in place, and a reader may get a part of it.
   */
  handlePacket(
    packet: Uint8Array,
    ingressPort: number,
    congested: boolean,
    nowMs: number,
    portBefore = 0,
  ): PacketVerdict {
    this.#advance(nowMs);
    const verdict = this.#verdict;
    verdict.remoteKey = verdict.locator = undefined;
    verdict.newest = false;
    switch (packetType(packet)) {
      case PacketType.TRANSPORT:
        verdict.drop = this.#handleTransport(packet, congested, nowMs);
        break;
      case PacketType.HANDSHAKE_INIT:
        verdict.drop = this.#handleInit(packet, ingressPort, portBefore, nowMs);
        break;
      case PacketType.HANDSHAKE_RESPONSE:
        verdict.drop = this.#handleResponse(packet, nowMs);
        break;
      default:
        verdict.drop = PacketDrop.MALFORMED;
    }
    this.stats.drops[verdict.drop] = this.stats.drops[verdict.drop]! + 1;
    return verdict;
  }

  handleTimeout(nowMs: number): void {
    this.#advance(nowMs);
    this.#updateDeadlines();
    for (let due = this.#deadlines.first; due !== undefined && due.deadlineMs <= nowMs; due = this.#deadlines.first) {
      due.handleTimeout(nowMs);
      this.#updateDeadlines();
    }
  }

  /**
   * The next packet to send, undefined where there is none now. `headroom` gives how many bytes to leave free before a packet to this
   * peer, or -1 where nothing may be sent to it now: it will be asked again, others go on.
   */
  pollTransmit(nowMs: number, headroom: (remoteKey: Uint8Array) => number): Transmit | undefined {
    this.#advance(nowMs);
    const sender = this.#queue.next(nowMs, headroom);
    if (sender === undefined) return undefined;
    const transmit = this.#transmit;
    transmit.remoteKey = sender.remoteKey;
    transmit.start = this.#queue.start;
    transmit.buffer = sender.transmit(transmit.start, nowMs);
    this.#queue.handleSent(transmit.buffer.length - transmit.start);
    return transmit;
  }

  /** The next event, in the order in which things happened. */
  pollEvent(): SessionEvent | undefined {
    const event = this.#events[this.#eventsTaken];
    if (event !== undefined) {
      this.#eventsTaken++;
    } else if (this.#eventsTaken > 0) {
      this.#events.length = this.#eventsTaken = 0;
    }
    return event;
  }

  /** When `handleTimeout` is due; Infinity where nothing waits. */
  pollTimeout(): number {
    this.#updateDeadlines();
    return Math.min(this.#deadlines.first?.deadlineMs ?? Number.POSITIVE_INFINITY, this.#queue.dueMs);
  }

  wake(session: Session): void {
    this.touch(session);
    this.#queue.add(session);
  }

  touch(session: Session): void {
    if (session.touched) return;
    session.touched = true;
    this.#touched.push(session);
  }

  emit(event: SessionEvent): void {
    this.#events.push(event);
  }

  handleConfirmed(session: Session): void {
    this.#dropHalfOpenOf(session.remoteKey);
  }

  handleClosed(session: Session): void {
    const name = nameOf(session.remoteKey);
    if (this.#byKey.get(name) === session) this.#byKey.delete(name);
  }

  handleEnded(session: Session): void {
    if (this.#byIndex.get(session.index) === session) this.#byIndex.delete(session.index);
    if (session.ephemeral !== undefined) this.#byEphemeral.delete(session.ephemeral);
  }

  #advance(nowMs: number): void {
    if (!(nowMs >= this.#nowMs)) throw new RangeError(`time ran back from ${this.#nowMs} to ${nowMs}`);
    this.#nowMs = nowMs;
  }

  #handleTransport(packet: Uint8Array, congested: boolean, nowMs: number): number {
    const receiver = this.#byIndex.get(receiverIndexOf(packet));
    if (receiver === undefined) return PacketDrop.NO_SESSION;
    const drop =
      receiver instanceof Session
        ? receiver.handlePacket(packet, congested, nowMs)
        : this.#confirm(receiver, packet, congested, nowMs);
    if (drop !== PacketDrop.NONE) return drop;
    this.#verdict.remoteKey = receiver.remoteKey;
    this.#verdict.newest = receiver.keys!.openedNewest;
    return PacketDrop.NONE;
  }

  /** A packet for a half-open session: if it authenticates, the session is there, and replaces the one that was. */
  #confirm(halfOpen: HalfOpen, packet: Uint8Array, congested: boolean, nowMs: number): number {
    if (nowMs > halfOpen.staleMs) {
      this.#halfOpen.delete(halfOpen.ephemeral);
      return PacketDrop.HALF_OPEN_STALE;
    }
    const drop = halfOpen.keys.open(packet);
    if (drop !== PacketDrop.NONE) return drop;
    this.#dropHalfOpenOf(halfOpen.remoteKey, halfOpen.staleMs);
    const present = this.#byKey.get(nameOf(halfOpen.remoteKey));
    if (present === undefined && !this.#hasRoom(false, nowMs)) return PacketDrop.SESSIONS_FULL;
    const session = this.#sessionFor(halfOpen, present, nowMs);
    session.accept(halfOpen.keys, halfOpen.index, nowMs);
    session.ephemeral = halfOpen.ephemeral;
    this.#byIndex.set(halfOpen.index, session);
    this.#byEphemeral.set(halfOpen.ephemeral, session);
    session.handleOpened(packet, congested, nowMs);
    return PacketDrop.NONE;
  }

  /** The session that a peer's handshake becomes: the one that we were asking it for, or a new one in place of what there was. */
  #sessionFor(halfOpen: HalfOpen, present: Session | undefined, nowMs: number): Session {
    if (present?.state === SessionState.CONNECTING) {
      this.#byIndex.delete(present.index);
      return present;
    }
    present?.abandon(SessionCode.REPLACED);
    return this.#newSession(halfOpen.remoteKey, halfOpen.index, nowMs);
  }

  /** Checks in order: rate, known message, Noise and keys, our own handshake, room. */
  #handleInit(packet: Uint8Array, ingressPort: number, portBefore: number, nowMs: number): number {
    if (!this.#rate.take(ingressPort, portBefore, nowMs)) return PacketDrop.HANDSHAKE_RATE;
    const ephemeral = nameOf(ephemeralOf(packet));
    if (this.#byEphemeral.has(ephemeral)) return PacketDrop.HANDSHAKE_REPLAYED;
    const known = this.#halfOpen.peek(ephemeral);
    if (known !== undefined && equalBytes(known.request, packet)) return this.#answer(known);
    const request = this.#handshaker.read(packet);
    if (typeof request === "number") return request;
    if (this.#ownHandshakeWins(request.remoteKey)) return PacketDrop.HANDSHAKE_CROSSED;
    const index = this.#newIndex();
    const halfOpen = index === undefined ? undefined : this.#handshaker.answer(request, index, ephemeral, nowMs);
    if (halfOpen === undefined) return PacketDrop.SESSIONS_FULL;
    this.#halfOpen.set(ephemeral, halfOpen);
    this.#byIndex.set(halfOpen.index, halfOpen);
    const { remoteKey, locator } = halfOpen;
    this.emit({ type: "locator", remoteKey, locator });
    return this.#answer(halfOpen);
  }

  #answer(halfOpen: HalfOpen): number {
    halfOpen.answerDue = true;
    this.#queue.add(halfOpen);
    this.#verdict.remoteKey = halfOpen.remoteKey;
    this.#verdict.locator = halfOpen.locator;
    return PacketDrop.NONE;
  }

  /**
   * Both ends may begin a handshake at once: then the one that the smaller key began is kept. The smaller key drops what the other
   * began; the larger key answers, and takes whichever is confirmed.
   */
  #ownHandshakeWins(remoteKey: Uint8Array): boolean {
    return this.session(remoteKey)?.initiation !== undefined && this.#isSmallerThan(remoteKey);
  }

  #isSmallerThan(remoteKey: Uint8Array): boolean {
    return compareBytes(this.#options.identity.publicKey, remoteKey) < 0;
  }

  #handleResponse(packet: Uint8Array, nowMs: number): number {
    const session = this.#byIndex.get(receiverIndexOf(packet));
    const initiation = session instanceof Session ? session.initiation : undefined;
    if (!(session instanceof Session) || initiation === undefined) return PacketDrop.NO_SESSION;
    if (!initiation.mayRead()) return PacketDrop.HANDSHAKE_RATE;
    const completion = this.#handshaker.complete(initiation, packet, nowMs);
    if (completion === undefined) return PacketDrop.HANDSHAKE_INVALID;
    if (!initiation.take(completion.remoteIndex)) return PacketDrop.HANDSHAKE_REPLAYED;
    session.handleAnswer(completion.keys, nowMs);
    const { remoteKey } = session;
    if (this.#isSmallerThan(remoteKey)) this.#dropHalfOpenOf(remoteKey);
    this.emit({ type: "locator", remoteKey, locator: completion.locator });
    this.#verdict.remoteKey = remoteKey;
    return PacketDrop.NONE;
  }

  #newSession(remoteKey: Uint8Array, index: number, nowMs: number): Session {
    const session = new Session(this, this.#nextId++, remoteKey, index, nowMs);
    this.#byKey.set(nameOf(remoteKey), session);
    this.#byIndex.set(index, session);
    return session;
  }

  /**
   * True where another session fits, if need be in place of the one silent longest of those that may go: what is idle, and for a session
   * that is ours to begin any that others began, as keys to begin them with cost nothing.
   */
  #hasRoom(isOurs: boolean, nowMs: number): boolean {
    if (this.#byKey.size < this.config.sessionsMax) return true;
    let oldest: Session | undefined;
    for (const session of this.#byKey.values()) {
      const isIdle = nowMs - session.heardMs >= this.config.evictAfterMs && !session.isWaiting;
      if (!isIdle && !(isOurs && !session.initiator)) continue;
      if (oldest === undefined || session.heardMs < oldest.heardMs) oldest = session;
    }
    if (oldest === undefined) return false;
    this.stats.sessionsEvicted++;
    oldest.close(SessionCode.EVICTED, SESSION_CODE_TEXT[SessionCode.EVICTED]!, nowMs);
    return true;
  }

  /** A fresh receiver index; undefined where chance gives only used ones. */
  #newIndex(): number | undefined {
    for (let attempt = 0; attempt < INDEX_ATTEMPTS; attempt++) {
      const index = readUint32(this.#options.random(4), 0);
      if (!this.#byIndex.has(index)) return index;
    }
    return undefined;
  }

  /** Drops the half-open sessions of a peer that are stale by `staleMs`: what it began before is of no use any more. */
  #dropHalfOpenOf(remoteKey: Uint8Array, staleMs = Number.POSITIVE_INFINITY): void {
    for (const halfOpen of [...this.#halfOpen.values()])
      if (halfOpen.staleMs <= staleMs && equalBytes(halfOpen.remoteKey, remoteKey))
        this.#halfOpen.delete(halfOpen.ephemeral);
  }

  #updateDeadlines(): void {
    for (const session of this.#touched) {
      session.touched = false;
      this.#deadlines.update(session, session.updateDeadline());
    }
    this.#touched.length = 0;
  }
}

/** A key as the key of a map. */
function nameOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}
