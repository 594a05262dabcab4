import type { Session } from "../src/session/session.js";
import { equalBytes } from "../src/wire/bytes.js";
import { Random } from "./random.js";

/** A prime, so that content moved by any likely size is other content. */
const PERIOD_BYTES = 65_521;
const CHUNK_BYTES = 16_384;
/** Stands in what is sent every so many bytes, so that whoever sees it on the way sees plaintext. */
export const PLAINTEXT_MARK = Uint8Array.from("pinyon plaintext", (character) => character.charCodeAt(0));
const MARK_EVERY_BYTES = 64;
/** Bytes on their way from one node to another, and what has become of them. */
export class Flow {
  sentBytes = 0;
  receivedBytes = 0;
  /** All bytes arrived, and then the end of the stream. */
  isDone = false;
  /** The session ended before that, or never was. */
  isBroken = false;
  /** Why. */
  reason = "";
  /** The handshake was completed. */
  isEstablished = false;
  /** What arrived is not what was sent. */
  isCorrupt = false;
  /** The longest time between two arrivals. */
  pauseMs = 0;
  /** The newest arrival; infinite before the first. */
  arrivalMs = Number.POSITIVE_INFINITY;
  session: Session | undefined;
  /** Where both ends send: what comes back. */
  back: Flow | undefined;
  readonly #content: Uint8Array;

  constructor(
    readonly from: number,
    readonly to: number,
    /** Infinite where it goes on for ever. */
    readonly sizeBytes: number,
    seed: number,
  ) {
    this.#content = new Random(seed).bytes(PERIOD_BYTES);
    for (let at = 0; at + MARK_EVERY_BYTES < PERIOD_BYTES; at += MARK_EVERY_BYTES)
      this.#content.set(PLAINTEXT_MARK, at);
  }

  /** The next bytes to be sent, at most so many. */
  next(bytesMax = CHUNK_BYTES): Uint8Array {
    const at = this.sentBytes % PERIOD_BYTES;
    return this.#content.slice(at, Math.min(at + bytesMax, at + this.sizeBytes - this.sentBytes));
  }

  receive(bytes: Uint8Array, nowMs: number): void {
    this.pauseMs = Math.max(this.pauseMs, nowMs - this.arrivalMs);
    this.arrivalMs = nowMs;
    for (let done = 0; done < bytes.length; ) {
      const at = (this.receivedBytes + done) % PERIOD_BYTES;
      const part = bytes.subarray(done, done + PERIOD_BYTES - at);
      if (!equalBytes(part, this.#content.subarray(at, at + part.length))) this.isCorrupt = true;
      done += part.length;
    }
    this.receivedBytes += bytes.length;
  }

  /** The receiver read the end of the stream. */
  finish(): void {
    if (this.receivedBytes === this.sizeBytes) this.isDone = true;
    else this.isCorrupt = true;
  }
}
