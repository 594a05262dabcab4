import type { Duplex } from "node:stream";

/*
 * HTTP/2 by hand (RFC 9113), for what the platform's own refuses to send.
 */

export const FrameType = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, GOAWAY: 7 } as const;
export const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const FRAME_HEAD_BYTES = 9;
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export type Fields = readonly (readonly [name: string, value: string])[];

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frameOf(type: number, stream: number, payload: Buffer = Buffer.alloc(0), flags = 0): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HEADERS with every field literal (RFC 7541, section 6.2.2). Names and values are bytes. */
export function headersOf(stream: number, fields: Fields, flags = 0): Buffer {
  const block = fields.flatMap(([name, value]) => [Buffer.from([0]), textOf(name), textOf(value)]);
  return frameOf(FrameType.HEADERS, stream, Buffer.concat(block), flags | END_HEADERS);
}

export function dataOf(stream: number, text: string, flags = 0): Buffer {
  return frameOf(FrameType.DATA, stream, Buffer.from(text, "latin1"), flags);
}

export function resetOf(stream: number, code: number): Buffer {
  return frameOf(FrameType.RST_STREAM, stream, codeOf(code));
}

export function goAwayOf(code: number): Buffer {
  return frameOf(FrameType.GOAWAY, 0, Buffer.concat([codeOf(0), codeOf(code)]));
}

/** The asking end: says what it likes, and keeps what it hears. */
export class RawClient {
  readonly frames: Frame[] = [];

  constructor(readonly wire: Duplex) {
    readFrames(wire, (frame) => {
      this.frames.push(frame);
      if (frame.type === FrameType.SETTINGS && frame.flags !== ACK)
        wire.write(frameOf(FrameType.SETTINGS, 0, Buffer.alloc(0), ACK));
    });
    wire.write(PREFACE);
    wire.write(frameOf(FrameType.SETTINGS, 0));
  }

  /** The code with which a stream, or with it the whole connection, was given up; undefined where it was not. */
  resetCode(stream: number): number | undefined {
    for (const { type, stream: of, payload } of this.frames) {
      if (type === FrameType.RST_STREAM && of === stream) return payload.readUInt32BE(0);
      if (type === FrameType.GOAWAY) return payload.readUInt32BE(4);
    }
    return undefined;
  }

  /** True where the stream was answered, with whatever. */
  isAnswered(stream: number): boolean {
    return this.frames.some(({ type, stream: of }) => type === FrameType.HEADERS && of === stream);
  }
}

/** The answering end: `answer` gives the bytes with which each request is answered. */
export function answerRaw(wire: Duplex, answer: (stream: number) => Buffer): void {
  let isPrefaceRead = false;
  readFrames(
    wire,
    ({ type, flags, stream }) => {
      if (!isPrefaceRead) wire.write(frameOf(FrameType.SETTINGS, 0));
      isPrefaceRead = true;
      if (type === FrameType.SETTINGS && flags !== ACK)
        wire.write(frameOf(FrameType.SETTINGS, 0, Buffer.alloc(0), ACK));
      if (type === FrameType.HEADERS) wire.write(answer(stream));
    },
    PREFACE.length,
  );
}

function readFrames(wire: Duplex, handle: (frame: Frame) => void, skipBytes = 0): void {
  let seen: Buffer = Buffer.alloc(0);
  let skip = skipBytes;
  wire.on("error", () => {});
  wire.on("data", (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    if (seen.length < skip) return;
    seen = seen.subarray(skip);
    skip = 0;
    while (seen.length >= FRAME_HEAD_BYTES) {
      const endAt = FRAME_HEAD_BYTES + seen.readUIntBE(0, 3);
      if (seen.length < endAt) return;
      const payload = seen.subarray(FRAME_HEAD_BYTES, endAt);
      const frame = { type: seen[3]!, flags: seen[4]!, stream: seen.readUInt32BE(5), payload };
      seen = seen.subarray(endAt);
      handle(frame);
    }
  });
}

function textOf(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([lengthOf(bytes.length), bytes]);
}

/** An integer with a prefix of seven bits (RFC 7541, section 5.1). */
function lengthOf(length: number): Buffer {
  if (length < 127) return Buffer.from([length]);
  const bytes = [127];
  let rest = length - 127;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

function codeOf(code: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(code);
  return bytes;
}
