import { readUint16, writeUint16 } from "./bytes.js";

/*
 * A note: what two nodes tell each other about the way between them, inside their session.
 *
 *   0  1  version, 1; a note of another is ignored
 *   1  1  1 WANT: your ball, of so many records
 *         2 BALL: a part of the sender's ball
 *         3 BALL: its last part
 *   2  2  WANT: records
 *      n  BALL: records, the sender's own first in the first part (ball.ts)
 */
const VERSION = 1;
const WANT = 1;
const PART = 2;
const LAST = 3;

/** Bytes of records in one note. */
export const NOTE_RECORDS_BYTES_MAX = 998;

export interface BallNote {
  readonly type: "ball";
  readonly records: Uint8Array;
  readonly isLast: boolean;
}

export type Note = { readonly type: "want"; readonly size: number } | BallNote;

export function encodeWant(size: number): Uint8Array {
  const bytes = Uint8Array.of(VERSION, WANT, 0, 0);
  writeUint16(bytes, 2, size);
  return bytes;
}

/** The notes that carry a ball's parts. */
export function encodeBall(parts: readonly Uint8Array[]): Uint8Array[] {
  return parts.map((part, i) => Uint8Array.of(VERSION, i === parts.length - 1 ? LAST : PART, ...part));
}

/** What a note says; undefined where it is none of this version. `records` is a view. */
export function decodeNote(bytes: Uint8Array): Note | undefined {
  if (bytes[0] !== VERSION) return undefined;
  if (bytes[1] === WANT) return bytes.length === 4 ? { type: "want", size: readUint16(bytes, 2) } : undefined;
  if (bytes[1] !== PART && bytes[1] !== LAST) return undefined;
  return { type: "ball", records: bytes.subarray(2), isLast: bytes[1] === LAST };
}
