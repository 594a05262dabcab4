/**
 * Session frames: what a TRANSPORT packet holds, one after another until it ends. "i" is a variable-length integer (`varint.ts`).
 * Numbers are never used twice.
 */
import { VARINT_BYTES_MAX, VARINT_MAX, varintBytes, writeVarint } from "./varint.js";

export const FrameType = {
  /** `[1]` asks for an acknowledgement. */
  PING: 0x01,
  /**
   * `[2][largest i][delay i, µs][marked i][ranges i, 1..32][packets i][gap i][packets i]…`, ranges from the highest down: `packets`
   * is how many follow one another in a range, at least one, and `gap` how many were missed below the range before it, at least one.
   * `marked` is how many packets ever came with the congestion bit.
   */
  ACK: 0x02,
  /** `[3][stream 1][limit i]`: the sender takes the stream's bytes below `limit`. */
  WINDOW: 0x03,
  /** `[4][stream 1][code i]`: the sender neither sends nor takes more of the stream. */
  RESET: 0x04,
  /** `[5][code i][length i][reason: printable ASCII]`: the session ends. */
  CLOSE: 0x05,
  /** `[6][length i][data]`: from node to node, about the way between them. It comes once or not at all, and in any order. */
  NOTE: 0x06,
  /** `[16 + flags][offset i][length i][data]`. Flags: 1 is the stream's number, 2 says that the stream ends after this data. */
  STREAM: 0x10,
} as const;

/** Flags in the type of STREAM. */
export const StreamFlag = { STREAM_1: 1, FIN: 2 } as const;
const STREAM_FLAGS = StreamFlag.STREAM_1 | StreamFlag.FIN;

/** Streams of a session: the initiator asks on 0, the responder on 1. */
export const STREAM_COUNT = 2;
/** Bytes of each stream that a peer takes before it said so in WINDOW. Part of the protocol. */
export const INITIAL_WINDOW_BYTES = 65_536;
/** Ranges in one ACK. */
export const ACK_RANGES_MAX = 32;
/** Bytes of the reason in CLOSE. */
export const REASON_BYTES_MAX = 200;

/** Bytes of data in a NOTE: it fits in the smallest packet with an ACK before it. */
export const NOTE_BYTES_MAX = 1_000;

/** Most bytes of a WINDOW or RESET frame. */
export const CONTROL_FRAME_BYTES_MAX = 2 + VARINT_BYTES_MAX;

/** Fields of an ACK frame; ranges are in descending order, both ends included. */
export class AckFrame {
  largest = 0;
  delayMs = 0;
  marked = 0;
  rangeCount = 0;
  readonly starts = new Float64Array(ACK_RANGES_MAX);
  readonly ends = new Float64Array(ACK_RANGES_MAX);
}

/** What `FrameReader.next` gives for bytes that are no frame. */
export const MALFORMED = -1;
/** What `FrameReader.next` gives after the last frame. */
export const END = 0;

/** Reads frames without allocation: `next` gives a frame's type and leaves its fields here until it is called again. */
export class FrameReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;

  readonly ack = new AckFrame();
  /** WINDOW, RESET, STREAM. */
  stream = 0;
  /** WINDOW. */
  limit = 0;
  /** RESET, CLOSE. */
  code = 0;
  /** CLOSE. */
  reason = "";
  /** STREAM, NOTE: the data are `bytes[dataStart … dataEnd - 1]`. */
  offset = 0;
  dataStart = 0;
  dataEnd = 0;
  fin = false;

  /** Starts on the first `size` bytes of `bytes`. */
  begin(bytes: Uint8Array, size: number): void {
    this.#bytes = bytes;
    this.#at = 0;
    this.#end = size;
  }

  /** The type of the next frame (STREAM without its flags), `END`, or `MALFORMED`. */
  next(): number {
    if (this.#at >= this.#end) return END;
    const type = this.#bytes[this.#at++]!;
    if ((type & ~STREAM_FLAGS) === FrameType.STREAM) return this.#readStream(type);
    switch (type) {
      case FrameType.PING:
        return type;
      case FrameType.ACK:
        return this.#readAck() ? type : MALFORMED;
      case FrameType.WINDOW:
        return this.#readStreamNumber() && (this.limit = this.#readVarint()) >= 0 ? type : MALFORMED;
      case FrameType.RESET:
        return this.#readStreamNumber() && (this.code = this.#readVarint()) >= 0 ? type : MALFORMED;
      case FrameType.CLOSE:
        return this.#readClose() ? type : MALFORMED;
      case FrameType.NOTE:
        return this.#readNote() ? type : MALFORMED;
      default:
        return MALFORMED;
    }
  }

  #readStream(type: number): number {
    this.stream = type & StreamFlag.STREAM_1;
    this.fin = (type & StreamFlag.FIN) !== 0;
    this.offset = this.#readVarint();
    if (this.offset < 0) return MALFORMED;
    const length = this.#readVarint();
    if (length < 0 || length > this.#end - this.#at || this.offset + length > VARINT_MAX) return MALFORMED;
    this.dataStart = this.#at;
    this.#at += length;
    this.dataEnd = this.#at;
    return FrameType.STREAM;
  }

  #readAck(): boolean {
    const ack = this.ack;
    ack.largest = this.#readVarint();
    const delayUs = this.#readVarint();
    ack.delayMs = delayUs / 1000;
    ack.marked = this.#readVarint();
    ack.rangeCount = this.#readVarint();
    if (ack.largest < 0 || delayUs < 0 || ack.marked < 0) return false;
    if (ack.rangeCount < 1 || ack.rangeCount > ACK_RANGES_MAX) return false;
    let end = ack.largest;
    for (let i = 0; i < ack.rangeCount; i++) {
      if (i > 0) {
        const gap = this.#readVarint();
        if (gap < 1) return false;
        end = ack.starts[i - 1]! - 1 - gap;
      }
      const packets = this.#readVarint();
      if (packets < 1 || packets > end + 1) return false;
      ack.ends[i] = end;
      ack.starts[i] = end - packets + 1;
    }
    return true;
  }

  #readClose(): boolean {
    this.code = this.#readVarint();
    const length = this.#readVarint();
    if (this.code < 0 || length < 0 || length > REASON_BYTES_MAX || length > this.#end - this.#at) return false;
    this.reason = printable(this.#bytes, this.#at, this.#at + length);
    this.#at += length;
    return true;
  }

  #readNote(): boolean {
    const length = this.#readVarint();
    if (length < 0 || length > NOTE_BYTES_MAX || length > this.#end - this.#at) return false;
    this.dataStart = this.#at;
    this.#at += length;
    this.dataEnd = this.#at;
    return true;
  }

  #readStreamNumber(): boolean {
    if (this.#at >= this.#end) return false;
    this.stream = this.#bytes[this.#at++]!;
    return this.stream < STREAM_COUNT;
  }

  /** A variable-length integer, or -1 where it is cut off or above `VARINT_MAX`. */
  #readVarint(): number {
    if (this.#at >= this.#end) return -1;
    const first = this.#bytes[this.#at]!;
    const size = 1 << (first >> 6);
    if (size > this.#end - this.#at) return -1;
    let value = first & 0x3f;
    for (let i = 1; i < size; i++) value = value * 256 + this.#bytes[this.#at + i]!;
    this.#at += size;
    return value <= VARINT_MAX ? value : -1;
  }
}

export function writePing(out: Uint8Array, at: number): number {
  out[at] = FrameType.PING;
  return at + 1;
}

/** Writes as many of the ranges as end before `limit`, from the highest down; gives the position after, or `at` where none does. */
export function writeAck(out: Uint8Array, at: number, limit: number, ack: AckFrame): number {
  const headBytes = 2 + varintBytes(ack.largest) + varintBytes(delayUs(ack)) + varintBytes(ack.marked);
  let rangesBytes = 0;
  let count = 0;
  for (; count < ack.rangeCount; count++) {
    const bytes = rangeBytes(ack, count);
    if (at + headBytes + rangesBytes + bytes > limit) break;
    rangesBytes += bytes;
  }
  if (count === 0) return at;
  out[at] = FrameType.ACK;
  let next = writeVarint(out, at + 1, ack.largest);
  next = writeVarint(out, next, delayUs(ack));
  next = writeVarint(out, next, ack.marked);
  next = writeVarint(out, next, count);
  for (let i = 0; i < count; i++) {
    if (i > 0) next = writeVarint(out, next, gapBefore(ack, i));
    next = writeVarint(out, next, ack.ends[i]! - ack.starts[i]! + 1);
  }
  return next;
}

export function writeWindow(out: Uint8Array, at: number, stream: number, limit: number): number {
  out[at] = FrameType.WINDOW;
  out[at + 1] = stream;
  return writeVarint(out, at + 2, limit);
}

export function writeReset(out: Uint8Array, at: number, stream: number, code: number): number {
  out[at] = FrameType.RESET;
  out[at + 1] = stream;
  return writeVarint(out, at + 2, code);
}

/** The reason is cut to `REASON_BYTES_MAX`; what is not printable ASCII becomes "?". */
export function writeClose(out: Uint8Array, at: number, code: number, reason: string): number {
  const length = Math.min(reason.length, REASON_BYTES_MAX);
  out[at] = FrameType.CLOSE;
  const start = writeVarint(out, writeVarint(out, at + 1, code), length);
  for (let i = 0; i < length; i++) out[start + i] = printableCode(reason.charCodeAt(i));
  return start + length;
}

/** Bytes of a NOTE frame with so many bytes of data. */
export function noteBytes(dataBytes: number): number {
  return 1 + varintBytes(dataBytes) + dataBytes;
}

export function writeNote(out: Uint8Array, at: number, data: Uint8Array): number {
  out[at] = FrameType.NOTE;
  const start = writeVarint(out, at + 1, data.length);
  out.set(data, start);
  return start + data.length;
}

/** Bytes of a STREAM frame before its data, which are no more than `lengthMax`. */
export function streamHeaderBytes(offset: number, lengthMax: number): number {
  return 1 + varintBytes(offset) + varintBytes(lengthMax);
}

/** Writes a STREAM frame up to its data; gives where they belong. */
export function writeStreamHeader(
  out: Uint8Array,
  at: number,
  stream: number,
  offset: number,
  length: number,
  fin: boolean,
): number {
  out[at] = FrameType.STREAM | stream | (fin ? StreamFlag.FIN : 0);
  return writeVarint(out, writeVarint(out, at + 1, offset), length);
}

function delayUs(ack: AckFrame): number {
  return Math.round(ack.delayMs * 1000);
}

function gapBefore(ack: AckFrame, index: number): number {
  return ack.starts[index - 1]! - ack.ends[index]! - 1;
}

function rangeBytes(ack: AckFrame, index: number): number {
  const packets = varintBytes(ack.ends[index]! - ack.starts[index]! + 1);
  return index === 0 ? packets : packets + varintBytes(gapBefore(ack, index));
}

function printable(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(printableCode(bytes[i]!));
  return text;
}

function printableCode(code: number): number {
  return code >= 0x20 && code <= 0x7e ? code : 0x3f;
}
