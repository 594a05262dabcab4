import { Duplex } from "node:stream";
import { SessionCode } from "../session/codes.js";
import type { Session } from "../session/session.js";
import { STREAM_AHEAD_BYTES } from "./config.js";
import { OverlayError } from "./errors.js";

/** What a stream needs of the overlay that drives its session. */
export interface StreamHost {
  nowMs(): number;
  /** The session may have something to send or to tell. */
  poll(): void;
}

/** The least that is handed over at a time, in bytes, however slow the way is. */
const AHEAD_BYTES_MIN = 4 * 1024;

type Written = (error?: Error | null) => void;

/**
 * One of the two streams of a session, as a Duplex. Writing waits while the session is a congestion window ahead; a reader that stops
 * lets the session's window close, so that the peer stops. Each side ends by itself; destroying gives both sides up and tells the peer.
 *
 * Nothing is copied: what is written belongs to the session until the peer has it, and must not be changed even after the callback of
 * `write`. Errors are `OverlayError`s: `PINYON_STREAM_RESET` where the peer gave the stream up, `PINYON_SESSION_ENDED` where the
 * session ended before both sides of the stream did.
 */
export class SessionStream extends Duplex {
  /**
   * Takes what comes in first, until it gives back what is left over; the stream's reader gets that and the rest. Undefined asks for
   * more.
   */
  head: ((bytes: Uint8Array) => Uint8Array | undefined) | undefined;

  readonly #session: Session;
  readonly #number: number;
  readonly #host: StreamHost;
  /** What the session has not taken, in order; `#written` is to be called when all is. */
  #unwritten: Uint8Array[] = [];
  #written: Written | undefined;
  /** True while the reader has room. */
  #wanted = false;
  #pulling = false;
  /** The peer has ended its side, and all of it is here. */
  #received = false;

  constructor(session: Session, number: number, host: StreamHost) {
    super({ highWaterMark: STREAM_AHEAD_BYTES });
    this.#session = session;
    this.#number = number;
    this.#host = host;
    // Without a listener an error ends the process, and this one may come before anybody took the stream up.
    this.on("error", () => {});
  }

  /** Bytes that go out soon: what is to be handed over at a time. */
  get aheadBytes(): number {
    return Math.max(this.#session.aheadBytes, AHEAD_BYTES_MIN);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: Written): void {
    this.#unwritten = [chunk];
    this.#written = written;
    this.handleWritable();
  }

  override _writev(chunks: { chunk: Buffer }[], written: Written): void {
    this.#unwritten = chunks.map(({ chunk }) => chunk);
    this.#written = written;
    this.handleWritable();
  }

  override _final(finished: Written): void {
    this.#session.finish(this.#number);
    this.#host.poll();
    finished();
  }

  override _read(): void {
    this.#wanted = true;
    this.handleReadable();
  }

  override _destroy(error: Error | null, destroyed: Written): void {
    if (!this.#isDone) {
      this.#session.reset(this.#number, SessionCode.DONE);
      this.#host.poll();
    }
    this.#takeWritten()?.(error ?? new OverlayError("PINYON_STREAM_RESET"));
    destroyed(error);
  }

  /** The session takes bytes again. */
  handleWritable(): void {
    if (this.#written === undefined) return;
    const nowMs = this.#host.nowMs();
    for (const [index, chunk] of this.#unwritten.entries()) {
      const taken = this.#session.write(this.#number, chunk, nowMs);
      if (taken > 0) this.#host.poll();
      if (taken === chunk.length) continue;
      this.#unwritten.splice(0, index + 1, chunk.subarray(taken));
      return;
    }
    this.#unwritten.length = 0;
    this.#takeWritten()?.();
  }

  /** The session has bytes again. */
  handleReadable(): void {
    // A reader may ask for more while it is given a chunk: the loop below serves it, in order.
    if (this.#pulling) return;
    this.#pulling = true;
    while (this.#wanted && !this.destroyed) {
      const bytes = this.#session.read(this.#number);
      if (bytes === undefined) break;
      this.#host.poll();
      const rest = this.head === undefined ? bytes : this.#takeHead(this.head, bytes);
      if (rest.length === 0) continue;
      this.#wanted = false;
      if (this.push(rest)) this.#wanted = true;
    }
    this.#pulling = false;
  }

  /** The peer ended its side, and everything was read. */
  handleFinished(): void {
    this.#received = true;
    this.push(null);
  }

  /** The peer gave the stream up. */
  handleReset(code: number): void {
    this.destroy(new OverlayError("PINYON_STREAM_RESET", `code ${code}`));
  }

  /** The session ended. What a stream with both sides ended still holds can be read. */
  handleClosed(reason: string): void {
    if (!this.#isDone) this.destroy(new OverlayError("PINYON_SESSION_ENDED", reason));
  }

  get #isDone(): boolean {
    return this.#received && this.writableFinished;
  }

  #takeHead(head: NonNullable<typeof this.head>, bytes: Uint8Array): Uint8Array {
    const rest = head(bytes);
    if (rest === undefined) return new Uint8Array(0);
    this.head = undefined;
    return rest;
  }

  #takeWritten(): Written | undefined {
    const written = this.#written;
    this.#written = undefined;
    return written;
  }
}
