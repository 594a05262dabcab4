import { PacketDrop, SESSION_CODE_TEXT, SessionCode, SessionState } from "./codes.js";
import type { Timed } from "./deadline-queue.js";
import type { SessionEvent } from "./events.js";
import { Exchange, type ExchangeListener, Sendable } from "./exchange.js";
import { writeClose } from "./frames.js";
import type { Initiation } from "./initiation.js";
import type { SessionKeys } from "./keys.js";
import { framesOf, PACKET_NUMBER_MAX, TRANSPORT_OVERHEAD_BYTES } from "./packet.js";
import type { SessionHost } from "./session-host.js";
import { SessionStats } from "./stats.js";
import { Timer, TimerTable } from "./timers.js";

const STREAMS = [0, 1];

/**
 * One session with one peer: two ordered byte streams, 0 for its initiator to ask on, 1 for its responder. Made by `Endpoint`, which
 * also feeds and polls it; whoever uses the streams calls the methods up to `close` and `handleRouteChanged`, and then polls the
 * endpoint.
 */
export class Session implements ExchangeListener, Timed {
  readonly #host: SessionHost;
  readonly #timers = new TimerTable();
  /** Events that are told often, made once. */
  readonly #readable: readonly SessionEvent[];
  readonly #writable: readonly SessionEvent[];

  /** The session's number at this node. */
  readonly id: number;
  readonly remoteKey: Uint8Array;
  readonly stats = new SessionStats();

  #state: SessionState = SessionState.CONNECTING;
  #initiator = true;
  #initiation: Initiation | undefined;
  #keys: SessionKeys | undefined;
  /** What `hasPacket` found. */
  #sendable: number = Sendable.NOTHING;
  #exchange: Exchange | undefined;
  /** When a packet last authenticated. */
  #heardMs: number;
  /** The idle timeout counts from here. */
  #idleFromMs: number;

  /** Since when something waits to be sent; Infinity where nothing does. */
  #stuckMs = Number.POSITIVE_INFINITY;

  /** When the peer last seemed to miss acknowledgements. */
  #doubtMs = Number.NEGATIVE_INFINITY;

  #closeDue = false;
  #closeCode: number = SessionCode.DONE;
  #closeReason = "";
  #latePackets = 0;

  /** The endpoint's: our index in packets to us, the ephemeral key of the peer's message 1, places in queues. */
  index: number;
  ephemeral: string | undefined;
  queued = false;
  touched = false;
  deadlineMs = Number.POSITIVE_INFINITY;
  queueIndex = -1;

  constructor(host: SessionHost, id: number, remoteKey: Uint8Array, index: number, nowMs: number) {
    this.#host = host;
    this.id = id;
    this.remoteKey = remoteKey;
    this.index = index;
    this.#heardMs = this.#idleFromMs = nowMs;
    this.#readable = STREAMS.map((stream) => ({ type: "readable", session: this, stream }));
    this.#writable = STREAMS.map((stream) => ({ type: "writable", session: this, stream }));
  }

  get state(): SessionState {
    return this.#state;
  }

  /** True where we asked for the session: then stream 0 is ours to ask on, else stream 1. Settled by `established`. */
  get initiator(): boolean {
    return this.#initiator;
  }

  /** Smoothed round trip in milliseconds; the configured first guess until there is a sample. */
  get rttMs(): number {
    return this.#exchange?.recovery.rtt.smoothedMs ?? this.#host.config.initialRttMs;
  }

  /** Bytes that may be in flight, and that are. */
  get windowBytes(): number {
    return this.#exchange?.recovery.windowBytes ?? 0;
  }

  /** Bytes of a stream that are taken before they are sent. */
  get aheadBytes(): number {
    return this.#exchange?.sendAheadBytes ?? 0;
  }

  get bytesInFlight(): number {
    return this.#exchange?.recovery.bytesInFlight ?? 0;
  }

  /** How often each direction's key was replaced. */
  get keyPhases(): { sent: number; received: number } {
    return this.#keys?.phases ?? { sent: 0, received: 0 };
  }

  /** When a packet of the peer last authenticated. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** True where a stream holds bytes that the peer has not acknowledged or that were not read here. */
  get isWaiting(): boolean {
    return this.#exchange?.isWaiting ?? false;
  }

  /** What the session waits for next, for a look at one that wakes too often. */
  get nextTimer(): Timer | undefined {
    return this.#timers.next;
  }

  /**
   * Takes bytes for a stream; gives how many. They are kept, not copied, until the peer has them, and must not be changed. Where it
   * took less than all, a `writable` event follows. 0 before `established` and after `finish`, `reset` and the end.
   */
  write(stream: number, bytes: Uint8Array, nowMs: number): number {
    if (this.#state !== SessionState.ESTABLISHED) return 0;
    const taken = this.#exchange!.write(stream, bytes);
    if (taken > 0) {
      this.#idleFromMs = nowMs;
      this.#host.wake(this);
    }
    return taken;
  }

  /**
   * The next bytes of a stream, at most `bytesMax`; undefined where there are none. The caller owns them. What came before the session
   * ended can be read after it.
   */
  read(stream: number, bytesMax = Number.POSITIVE_INFINITY): Uint8Array | undefined {
    const bytes = this.#exchange?.read(stream, bytesMax);
    if (bytes !== undefined) this.#host.wake(this);
    return bytes;
  }

  /** True once the peer's end of the stream was reached by `read`. */
  isFinished(stream: number): boolean {
    return this.#exchange?.isFinished(stream) ?? false;
  }

  /**
   * Sends bytes to the other node's own ear, at most 1,000: they come once or not at all, which nobody tells. False where too many wait
   * already, and before `established`.
   */
  note(bytes: Uint8Array): boolean {
    if (this.#state !== SessionState.ESTABLISHED || !this.#exchange!.note(bytes)) return false;
    this.#host.wake(this);
    return true;
  }

  /** Ends our half of a stream after what was written; reading goes on. */
  finish(stream: number): void {
    if (this.#state !== SessionState.ESTABLISHED) return;
    this.#exchange!.finish(stream);
    this.#host.wake(this);
  }

  /** Gives a stream up, both ways, at once; the peer gets a `reset` event with `code`. The session goes on. */
  reset(stream: number, code: number): void {
    if (this.#state !== SessionState.ESTABLISHED) return;
    this.#exchange!.reset(stream, code);
    this.#host.wake(this);
  }

  /** Ends the session and tells the peer. What was written and not acknowledged is lost. `reason` is ASCII, at most 200 bytes. */
  close(code: number, reason: string, nowMs: number): void {
    if (this.#state === SessionState.CONNECTING) this.#end(code, reason);
    if (this.#state !== SessionState.ESTABLISHED) return;
    this.#initiation = undefined;
    this.#timers.stopAll();
    const periodMs = Math.min(this.#exchange!.recovery.rtt.probeTimeoutMs, this.#host.config.probeTimeoutMsMax);
    this.#timers.set(Timer.CLOSING, nowMs + 3 * periodMs);
    this.#closeDue = true;
    this.#closeCode = code;
    this.#closeReason = reason;
    this.#leave(SessionState.CLOSING, code, reason);
  }

  /** What the first link of the way takes, where that is what limits; else Infinity. */
  handleLinkPace(bytesPerMs: number): void {
    if (this.#exchange !== undefined) this.#exchange.recovery.linkBytesPerMs = bytesPerMs;
  }

  /**
   * The node sends this session's packets another way from now on, of the round trip `rttMs` where that is known: what is in flight is
   * probed there at once.
   */
  handleRouteChanged(nowMs: number, rttMs = 0): void {
    this.#initiation?.handleRouteChanged();
    if (this.#state === SessionState.ESTABLISHED) this.#exchange!.recovery.handleRouteChanged(nowMs, rttMs);
    this.#host.wake(this);
  }

  /** Endpoint: our handshake begins. */
  begin(initiation: Initiation): void {
    this.#initiation = initiation;
    this.#host.wake(this);
  }

  /** Endpoint: our side of a handshake that is not confirmed yet; undefined for any other session. */
  get initiation(): Initiation | undefined {
    return this.#initiation;
  }

  /**
   * Endpoint: an answer to our handshake authenticated. A second, other one comes where the peer lost its half-open session before it
   * was confirmed: then nothing was heard under the first keys, and what was sent goes again under the new ones.
   */
  handleAnswer(keys: SessionKeys, nowMs: number): void {
    if (this.#exchange !== undefined) {
      this.#keys = keys;
      this.#exchange.handleKeysReplaced();
    } else {
      const sampleMs = this.#initiation?.roundTripMs(nowMs);
      const exchange = this.#establish(keys, true, nowMs);
      if (sampleMs !== undefined) exchange.recovery.handleHandshakeSample(sampleMs, nowMs);
    }
    this.#host.wake(this);
  }

  /** Endpoint: the peer's handshake makes this session, which we may have been asking for too. */
  accept(keys: SessionKeys, index: number, nowMs: number): void {
    this.index = index;
    this.#initiation = undefined;
    this.#establish(keys, false, nowMs);
  }

  /** Endpoint: a TRANSPORT packet with this session's index. Gives a `PacketDrop`. */
  handlePacket(packet: Uint8Array, congested: boolean, nowMs: number): number {
    const drop = this.#keys?.open(packet) ?? PacketDrop.NO_SESSION;
    if (drop === PacketDrop.NONE) this.handleOpened(packet, congested, nowMs);
    return drop;
  }

  /** Endpoint: undefined while connecting. */
  get keys(): SessionKeys | undefined {
    return this.#keys;
  }

  /** Endpoint: a packet was opened. It belongs to the session from now on. */
  handleOpened(packet: Uint8Array, congested: boolean, nowMs: number): void {
    this.#host.wake(this);
    this.stats.packetsReceived++;
    this.stats.bytesReceived += packet.length;
    if (this.#state !== SessionState.ESTABLISHED) {
      this.#handleLatePacket();
      return;
    }
    this.#heardMs = this.#idleFromMs = nowMs;
    if (this.#initiation !== undefined) {
      this.#initiation = undefined;
      this.#host.handleConfirmed(this);
    }
    const keys = this.#keys!;
    const exchange = this.#exchange!;
    if (keys.openedRekeyed) this.#timers.set(Timer.OLD_KEY, nowMs + 3 * exchange.recovery.rtt.probeTimeoutMs);
    const largestSent = keys.nextNumber - 1;
    const code = exchange.handleFrames(framesOf(packet), keys.openedNumber, congested, largestSent, nowMs);
    if (code > 0) this.close(code, SESSION_CODE_TEXT[code] ?? "", nowMs);
    else keys.handleAcknowledged(exchange.recovery.largestAcked);
  }

  /** Endpoint: true where `transmit`, called next, gives a packet. */
  hasPacket(nowMs: number): boolean {
    this.#host.touch(this);
    if (this.#closeDue || this.#initiation?.due) return true;
    if (this.#state !== SessionState.ESTABLISHED) return false;
    this.#sendable = this.#exchange!.sendable(nowMs);
    this.#stuckMs = this.#sendable === Sendable.NOTHING ? Number.POSITIVE_INFINITY : Math.min(this.#stuckMs, nowMs);
    if (this.#sendable === Sendable.NOTHING) return false;
    if (this.#keys!.nextNumber <= PACKET_NUMBER_MAX) return true;
    this.#end(SessionCode.EXHAUSTED, SESSION_CODE_TEXT[SessionCode.EXHAUSTED]!);
    return false;
  }

  /** Endpoint: the next packet, in a new buffer with `start` free bytes before it. */
  transmit(start: number, nowMs: number): Uint8Array {
    this.#stuckMs = Number.POSITIVE_INFINITY;
    const initiation = this.#initiation;
    const buffer = initiation?.due ? initiation.transmit(start, nowMs) : this.#transmitFrames(start, nowMs);
    this.stats.packetsSent++;
    this.stats.bytesSent += buffer.length - start;
    return buffer;
  }

  /** Endpoint: when `handleTimeout` must be called. */
  updateDeadline(): number {
    const timers = this.#timers;
    timers.set(Timer.HANDSHAKE, this.#initiation?.deadlineMs ?? Number.POSITIVE_INFINITY);
    if (this.#state === SessionState.ESTABLISHED) {
      const exchange = this.#exchange!;
      timers.set(Timer.LOSS, exchange.recovery.lossDeadlineMs);
      timers.set(Timer.PTO, exchange.recovery.probeDeadlineMs);
      timers.set(Timer.DEAD, Math.min(exchange.recovery.deadDeadlineMs, this.#stuckDeadlineMs(exchange)));
      timers.set(Timer.ACK, exchange.ackDeadlineMs);
      timers.set(Timer.PACING, exchange.pacingDeadlineMs);
      timers.set(Timer.IDLE, this.#idleFromMs + this.#host.config.idleTimeoutMs);
    }
    return timers.nextMs;
  }

  handleTimeout(nowMs: number): void {
    this.updateDeadline();
    this.#host.wake(this);
    for (let timer = this.#timers.takeDue(nowMs); timer !== undefined; timer = this.#timers.takeDue(nowMs)) {
      this.#handleTimer(timer, nowMs);
    }
  }

  /** When the session is dead because there was no way for its bytes for long: nothing is in flight then that could be acknowledged. */
  #stuckDeadlineMs(exchange: Exchange): number {
    if (this.#stuckMs === Number.POSITIVE_INFINITY || !exchange.isSending) return Number.POSITIVE_INFINITY;
    return this.#stuckMs + this.#host.config.deadAfterMs;
  }

  handleReadable(stream: number): void {
    this.#host.emit(this.#readable[stream]!);
  }

  handleWritable(stream: number): void {
    this.#host.emit(this.#writable[stream]!);
  }

  handleFinished(stream: number): void {
    this.#host.emit({ type: "finished", session: this, stream });
  }

  handleReset(stream: number, code: number): void {
    this.#host.emit({ type: "reset", session: this, stream, code });
  }

  handleRepeat(nowMs: number): void {
    if (nowMs < this.#doubtMs + this.#exchange!.recovery.rtt.probeTimeoutMs) return;
    this.#doubtMs = nowMs;
    this.#host.emit({ type: "path-doubt", session: this, remoteKey: this.remoteKey, ptoCount: 1 });
  }

  handleNote(bytes: Uint8Array): void {
    this.#host.emit({ type: "note", session: this, bytes });
  }

  handlePeerClosed(code: number, reason: string): void {
    this.#end(code, reason);
  }

  /** Endpoint: ends the session without a word to the peer. */
  abandon(code: number): void {
    this.#end(code, SESSION_CODE_TEXT[code] ?? "");
  }

  #establish(keys: SessionKeys, initiator: boolean, nowMs: number): Exchange {
    const { config, pool, memory } = this.#host;
    this.#keys = keys;
    this.#initiator = initiator;
    this.#state = SessionState.ESTABLISHED;
    this.#heardMs = this.#idleFromMs = nowMs;
    this.#exchange = new Exchange(config, pool, memory, this.stats, this);
    this.#host.emit({ type: "established", session: this, remoteKey: this.remoteKey, initiator });
    return this.#exchange;
  }

  #transmitFrames(start: number, nowMs: number): Uint8Array {
    const { frames } = this.#host;
    const keys = this.#keys!;
    if (this.#closeDue) {
      this.#closeDue = false;
      return keys.seal(frames.subarray(0, writeClose(frames, 0, this.#closeCode, this.#closeReason)), start, nowMs);
    }
    const exchange = this.#exchange!;
    const limit = exchange.recovery.packetBytes - TRANSPORT_OVERHEAD_BYTES;
    const forcePing = keys.rekeyUnconfirmed && exchange.recovery.bytesInFlight === 0;
    const size = exchange.assemble(frames, limit, this.#sendable, forcePing, nowMs);
    const number = keys.nextNumber;
    const buffer = keys.seal(frames.subarray(0, size), start, nowMs);
    exchange.handleSent(number, buffer.length - start, nowMs);
    return buffer;
  }

  #handleTimer(timer: Timer, nowMs: number): void {
    switch (timer) {
      case Timer.HANDSHAKE:
        if (!this.#initiation!.handleTimeout(nowMs)) this.abandon(SessionCode.HANDSHAKE_TIMEOUT);
        break;
      case Timer.LOSS:
        this.#exchange!.recovery.handleLossTimeout(nowMs);
        break;
      case Timer.PTO:
        this.#handleProbeTimeout(nowMs);
        break;
      case Timer.ACK:
        this.#exchange!.handleAckTimeout();
        break;
      case Timer.PACING:
        this.#exchange!.handlePacingTimeout();
        break;
      case Timer.OLD_KEY:
        this.#keys!.forgetOldKey();
        break;
      case Timer.IDLE:
        this.#handleIdle(nowMs);
        break;
      case Timer.DEAD:
        this.abandon(SessionCode.TIMEOUT);
        break;
      case Timer.CLOSING:
        this.#end(this.#closeCode, this.#closeReason);
        break;
    }
  }

  #handleProbeTimeout(nowMs: number): void {
    const { recovery } = this.#exchange!;
    recovery.handleProbeTimeout(nowMs);
    const { remoteKey } = this;
    this.#host.emit({ type: "path-doubt", session: this, remoteKey, ptoCount: recovery.probeTimeouts });
  }

  /** With bytes waiting, the peer is asked for a sign of life: it may only have stopped reading. */
  #handleIdle(nowMs: number): void {
    if (!this.isWaiting) {
      this.abandon(SessionCode.IDLE);
      return;
    }
    this.#idleFromMs = nowMs;
    this.#exchange!.ping();
  }

  /** The peer has not heard of the end: it is told again at its 1st, 2nd, 4th, 8th … packet. */
  #handleLatePacket(): void {
    const count = ++this.#latePackets;
    if ((count & (count - 1)) === 0) this.#closeDue = true;
  }

  #end(code: number, reason: string): void {
    if (this.#state === SessionState.ENDED) return;
    this.#initiation = undefined;
    this.#timers.stopAll();
    this.#closeDue = false;
    if (this.#state === SessionState.CLOSING) this.#state = SessionState.ENDED;
    else this.#leave(SessionState.ENDED, code, reason);
    this.#exchange?.leaveAccount();
    this.#host.handleEnded(this);
  }

  #leave(state: SessionState, code: number, reason: string): void {
    this.#state = state;
    this.#exchange?.close();
    this.#host.emit({ type: "closed", session: this, code, reason });
    this.#host.handleClosed(this);
    this.#host.wake(this);
  }
}
