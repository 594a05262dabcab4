import { ReceivedPackets } from "./acks.js";
import { SessionCode } from "./codes.js";
import type { SessionConfig } from "./config.js";
import {
  CONTROL_FRAME_BYTES_MAX,
  END,
  FrameReader,
  FrameType,
  NOTE_BYTES_MAX,
  noteBytes,
  STREAM_COUNT,
  streamHeaderBytes,
  writeNote,
  writePing,
  writeReset,
  writeStreamHeader,
  writeWindow,
} from "./frames.js";
import { Received, type ReceiveMemory, ReceiveStream } from "./receive-stream.js";
import { type PacketFates, Recovery } from "./recovery.js";
import { SendStream } from "./send-stream.js";
import type { SentPacket, SentPacketPool } from "./sent-packets.js";
import type { SessionStats } from "./stats.js";

/** What may go in the next packet. */
export const Sendable = {
  NOTHING: 0,
  /** An acknowledgement alone: it waits for neither window nor pacer. */
  ACK: 1,
  /** Anything. */
  DATA: 2,
} as const;

/** Told what frames did, beside moving bytes. */
export interface ExchangeListener {
  handleReadable(stream: number): void;
  handleWritable(stream: number): void;
  handleFinished(stream: number): void;
  handleReset(stream: number, code: number): void;
  handlePeerClosed(code: number, reason: string): void;
  /** The peer sent again what is here: it seems to miss our acknowledgements. */
  handleRepeat(nowMs: number): void;
  handleNote(bytes: Uint8Array): void;
}

/** What is taken of `write` before it is sent, at the path's speed, in ms. */
const SEND_AHEAD_MS = 10;
/** Pieces of streams in one packet, so that what is remembered of it is bounded. */
const PIECES_MAX = 8;

/** The bit set of all streams. */
const ALL_STREAMS = (1 << STREAM_COUNT) - 1;

/** Used within one call of `handleFrames` only. */
const reader = new FrameReader();

/** What two ends of an established session tell each other in frames: both streams, what came, what was lost. */
export class Exchange implements PacketFates {
  readonly #config: SessionConfig;
  readonly #listener: ExchangeListener;
  readonly #stats: SessionStats;
  readonly #received = new ReceivedPackets();
  readonly #sends = [new SendStream(), new SendStream()] as const;
  readonly #receives: readonly ReceiveStream[];
  readonly recovery: Recovery;

  /** The rest are bit sets: bit s stands for stream s. */
  #windowsDue = 0;
  #resetsDue = 0;
  readonly #resetCodes = [0, 0];
  /** Streams given up by either side. */
  #dead = 0;
  /** `readable` was told and not all was read; `write` took less than it was given; `finished` was told. */
  #toldReadable = 0;
  #shortWrites = 0;
  #toldFinished = 0;

  #pingDue = false;
  readonly #notes: Uint8Array[] = [];
  /** The stream that comes first in the next packet. */
  #firstStream = 0;
  #pacingDeadlineMs = Number.POSITIVE_INFINITY;
  /** The record of the packet that was assembled last, where it is ack-eliciting. */
  #assembled: SentPacket | undefined;

  constructor(
    config: SessionConfig,
    pool: SentPacketPool,
    memory: ReceiveMemory,
    stats: SessionStats,
    listener: ExchangeListener,
  ) {
    this.#config = config;
    this.#listener = listener;
    this.#stats = stats;
    this.recovery = new Recovery(config, pool, this, stats);
    const newStream = () => new ReceiveStream(config.receiveWindowBytes, config.receiveRangesMax, memory);
    this.#receives = [newStream(), newStream()];
    for (let stream = 0; stream < STREAM_COUNT; stream++) this.#noteWindow(stream);
    this.#pingDue = true;
  }

  /** When a held back acknowledgement must go; Infinity where there is none. */
  get ackDeadlineMs(): number {
    return this.#received.deadlineMs;
  }

  /** When the pacer lets the next packet out; Infinity where it holds none back. */
  get pacingDeadlineMs(): number {
    return this.#pacingDeadlineMs;
  }

  /** What waits here is overtaken by nothing: no more is taken ahead than goes out soon, and two packets, so that one is always there. */
  get sendAheadBytes(): number {
    const { windowBytes, packetBytes, bytesPerMs } = this.recovery;
    const soonBytes = Math.max(bytesPerMs * SEND_AHEAD_MS, 2 * packetBytes);
    return Math.floor(Math.min(soonBytes, windowBytes, this.#config.sendAheadBytesMax));
  }

  /** True where a stream holds bytes that were not acknowledged or not read. */
  get isWaiting(): boolean {
    return this.isSending || this.#receives.some((receive) => receive.isWaiting);
  }

  /** True where a stream holds bytes that were not acknowledged. */
  get isSending(): boolean {
    return this.#sends.some((send) => send.isWaiting);
  }

  /**
   * Handles the frames of packet `number`, which belong to the session from now on. `largestSent` is our highest packet number. Gives 0,
   * or a positive `SessionCode` for which the session ends.
   */
  handleFrames(bytes: Uint8Array, number: number, marked: boolean, largestSent: number, nowMs: number): number {
    reader.begin(bytes, bytes.length);
    let eliciting = false;
    let refused = false;
    for (let type = reader.next(); type !== END; type = reader.next()) {
      const verdict = this.#handleFrame(type, bytes, largestSent, nowMs);
      if (verdict > 0) return verdict;
      if (type === FrameType.CLOSE) return 0;
      if (verdict < 0) refused = true;
      if (type !== FrameType.ACK) eliciting = true;
    }
    if (marked) this.#stats.marksReceived++;
    if (!refused) this.#received.handlePacket(number, eliciting, marked, nowMs);
    return 0;
  }

  /** What may be sent now. */
  sendable(nowMs: number): number {
    this.#pacingDeadlineMs = Number.POSITIVE_INFINITY;
    if (this.recovery.probeDue) return Sendable.DATA;
    if (this.#hasFrames && this.recovery.hasRoom) {
      const pacedMs = this.recovery.pacedMs(nowMs);
      if (pacedMs <= nowMs) return Sendable.DATA;
      this.#pacingDeadlineMs = pacedMs;
    }
    return this.#received.due ? Sendable.ACK : Sendable.NOTHING;
  }

  /**
   * Writes the frames of the next packet, which `sendable` allows, to the first `limit` bytes of `out`; gives how many bytes they are.
   * `forcePing` makes the packet ack-eliciting. `handleSent` must follow.
   */
  assemble(out: Uint8Array, limit: number, sendable: number, forcePing: boolean, nowMs: number): number {
    let at = 0;
    if (this.#received.pending) at = this.#received.write(out, at, limit, nowMs);
    this.#assembled = undefined;
    if (sendable !== Sendable.DATA && !forcePing) return at;
    const packet = (this.#assembled = this.recovery.takePacket());
    const ackEnd = at;
    if (sendable === Sendable.DATA) {
      at = this.#writeControl(out, at, limit, packet);
      for (let i = 0; i < STREAM_COUNT; i++) {
        at = this.#writeStream(out, at, limit, (this.#firstStream + i) % STREAM_COUNT, packet);
      }
      this.#firstStream = (this.#firstStream + 1) % STREAM_COUNT;
    }
    if (at === ackEnd) at = writePing(out, at);
    this.#pingDue = false;
    return at;
  }

  /** The assembled packet was sent as `number`. */
  handleSent(number: number, sizeBytes: number, nowMs: number): void {
    if (this.#assembled === undefined) return;
    this.recovery.handleSent(this.#assembled, number, sizeBytes, nowMs);
    this.#assembled = undefined;
    this.#tellWritable();
  }

  handleAckTimeout(): void {
    this.#received.handleAckTimeout();
  }

  handlePacingTimeout(): void {
    this.#pacingDeadlineMs = Number.POSITIVE_INFINITY;
  }

  /** Asks the peer for a sign of life. */
  ping(): void {
    this.#pingDue = true;
  }

  /** Takes bytes for a stream; gives how many. They are kept until acknowledged and must not be changed. */
  write(stream: number, bytes: Uint8Array): number {
    const send = this.#sends[stream]!;
    const taken = send.write(bytes, this.sendAheadBytes - send.unsentBytes);
    if (taken < bytes.length && send.isWritable) this.#shortWrites |= 1 << stream;
    return taken;
  }

  finish(stream: number): void {
    this.#sends[stream]!.finish();
  }

  /** Sends bytes to the other node, at most `NOTE_BYTES_MAX`, at most once. False, and counted, where too many wait. */
  note(bytes: Uint8Array): boolean {
    if (this.#notes.length >= this.#config.notesMax || bytes.length > NOTE_BYTES_MAX) {
      this.#stats.notesRefused++;
      return false;
    }
    this.#notes.push(bytes);
    return true;
  }

  /** The next bytes of a stream, at most `bytesMax`; undefined where there are none. */
  read(stream: number, bytesMax: number): Uint8Array | undefined {
    const receive = this.#receives[stream]!;
    const bytes = receive.read(bytesMax);
    if (receive.readableBytes === 0) this.#toldReadable &= ~(1 << stream);
    if (bytes === undefined) return undefined;
    this.#noteWindow(stream);
    this.#tellFinished(stream);
    return bytes;
  }

  /** True once the peer's end was reached by `read`. */
  isFinished(stream: number): boolean {
    return this.#receives[stream]!.isFinished;
  }

  /** Gives a stream up, both ways. */
  reset(stream: number, code: number): void {
    if (this.#dead & (1 << stream)) return;
    this.#closeStream(stream);
    this.#resetsDue |= 1 << stream;
    this.#resetCodes[stream] = code;
  }

  /** The keys changed before anything was acknowledged: all goes again, under the new ones. */
  handleKeysReplaced(): void {
    this.recovery.loseAll();
    this.#pingDue = true;
  }

  /** The session ended: nothing more is sent or taken, but what came can be read. */
  close(): void {
    this.recovery.clear();
    for (const send of this.#sends) send.close();
    for (const receive of this.#receives) receive.end();
    this.#windowsDue = this.#resetsDue = this.#shortWrites = 0;
    this.#toldFinished = ALL_STREAMS;
    this.#pingDue = false;
    this.#notes.length = 0;
  }

  /** Nobody but its user holds the session any more. */
  leaveAccount(): void {
    for (const receive of this.#receives) receive.leaveAccount();
  }

  handlePacketAcked(packet: SentPacket): void {
    for (let i = 0; i < packet.pieceCount; i++) {
      const piece = packet.pieces[i]!;
      this.#sends[piece.stream]!.handleAcked(piece.offset, piece.length, piece.fin);
    }
  }

  handlePacketLost(packet: SentPacket): void {
    this.#windowsDue |= packet.windows & ~this.#dead;
    this.#resetsDue |= packet.resets;
    for (let i = 0; i < packet.pieceCount; i++) {
      const piece = packet.pieces[i]!;
      this.#sends[piece.stream]!.handleLost(piece.offset, piece.length, piece.fin);
    }
  }

  get #hasFrames(): boolean {
    if (this.#windowsDue !== 0 || this.#resetsDue !== 0 || this.#pingDue || this.#notes.length > 0) return true;
    return this.#sends[0].hasWork || this.#sends[1].hasWork;
  }

  #handleFrame(type: number, bytes: Uint8Array, largestSent: number, nowMs: number): number {
    switch (type) {
      case FrameType.PING:
        return 0;
      case FrameType.ACK:
        if (reader.ack.largest > largestSent) return SessionCode.ACK_INVALID;
        this.recovery.handleAck(reader.ack, nowMs);
        this.#tellWritable();
        return 0;
      case FrameType.WINDOW:
        this.#sends[reader.stream]!.handleWindow(reader.limit);
        return 0;
      case FrameType.RESET:
        this.#handleReset(reader.stream, reader.code);
        return 0;
      case FrameType.CLOSE:
        this.#listener.handlePeerClosed(reader.code, reader.reason);
        return 0;
      case FrameType.NOTE:
        this.#listener.handleNote(bytes.slice(reader.dataStart, reader.dataEnd));
        return 0;
      case FrameType.STREAM:
        return this.#handleStream(bytes, nowMs);
      default:
        return SessionCode.MALFORMED;
    }
  }

  #handleStream(bytes: Uint8Array, nowMs: number): number {
    const { stream, dataStart, dataEnd, offset, fin } = reader;
    const receive = this.#receives[stream]!;
    const isRepeat = dataEnd > dataStart && receive.hasTo(offset + dataEnd - dataStart);
    const verdict = receive.insert(bytes, dataStart, dataEnd, offset, fin);
    if (verdict === Received.RANGES_FULL) this.#stats.receiveRangesRefused++;
    if (verdict === Received.MEMORY_FULL) this.#stats.receiveMemoryRefused++;
    if (verdict !== Received.OK) return verdict;
    if (isRepeat) this.#listener.handleRepeat(nowMs);
    const bit = 1 << stream;
    if (receive.readableBytes > 0 && (this.#toldReadable & bit) === 0) {
      this.#toldReadable |= bit;
      this.#listener.handleReadable(stream);
    }
    this.#tellFinished(stream);
    return 0;
  }

  #handleReset(stream: number, code: number): void {
    if (this.#dead & (1 << stream)) return;
    this.#closeStream(stream);
    this.#listener.handleReset(stream, code);
  }

  #closeStream(stream: number): void {
    this.#dead |= 1 << stream;
    this.#windowsDue &= ~(1 << stream);
    this.#shortWrites &= ~(1 << stream);
    this.#sends[stream]!.close();
    this.#receives[stream]!.close();
  }

  #noteWindow(stream: number): void {
    if (this.#receives[stream]!.windowDue) this.#windowsDue |= 1 << stream;
  }

  #tellFinished(stream: number): void {
    const bit = 1 << stream;
    if (!this.#receives[stream]!.isFinished || (this.#toldFinished | this.#dead) & bit) return;
    this.#toldFinished |= bit;
    this.#listener.handleFinished(stream);
  }

  /** Tells of streams whose `write` took too little once half of what is taken ahead is sent. */
  #tellWritable(): void {
    for (let stream = 0; this.#shortWrites !== 0 && stream < STREAM_COUNT; stream++) {
      const bit = 1 << stream;
      if ((this.#shortWrites & bit) === 0 || this.#sends[stream]!.unsentBytes > this.sendAheadBytes / 2) continue;
      this.#shortWrites &= ~bit;
      if (this.#sends[stream]!.isWritable) this.#listener.handleWritable(stream);
    }
  }

  #writeControl(out: Uint8Array, at: number, limit: number, packet: SentPacket): number {
    let next = at;
    for (let stream = 0; stream < STREAM_COUNT; stream++) {
      const bit = 1 << stream;
      if (this.#resetsDue & bit && next + CONTROL_FRAME_BYTES_MAX <= limit) {
        next = writeReset(out, next, stream, this.#resetCodes[stream]!);
        this.#resetsDue &= ~bit;
        packet.resets |= bit;
      }
      if (this.#windowsDue & bit && next + CONTROL_FRAME_BYTES_MAX <= limit) {
        next = writeWindow(out, next, stream, this.#receives[stream]!.takeLimit());
        this.#windowsDue &= ~bit;
        packet.windows |= bit;
      }
    }
    while (this.#notes.length > 0 && next + noteBytes(this.#notes[0]!.length) <= limit)
      next = writeNote(out, next, this.#notes.shift()!);
    return next;
  }

  #writeStream(out: Uint8Array, at: number, limit: number, stream: number, packet: SentPacket): number {
    const send = this.#sends[stream]!;
    let next = at;
    while (send.hasWork && packet.pieceCount < PIECES_MAX) {
      const room = limit - next - streamHeaderBytes(send.nextOffset, limit);
      if (room <= 0) break;
      send.take(room);
      next = writeStreamHeader(out, next, stream, send.pieceOffset, send.pieceLength, send.pieceFin);
      send.copyPiece(out, next);
      next += send.pieceLength;
      packet.addPiece(stream, send.pieceOffset, send.pieceLength, send.pieceFin);
      if (send.pieceAgain) this.#stats.bytesSentAgain += send.pieceLength;
    }
    return next;
  }
}
