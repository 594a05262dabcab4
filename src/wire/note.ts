import { concatBytes, readUint16, writeUint16 } from "./bytes.js";
import { KEY_BYTES, SIGNATURE_BYTES } from "./limits.js";

/*
 * A note: what two nodes tell each other about the way between them, inside their session.
 *
 *   0  1  version, 1; a note of another is ignored
 *   1  1  1 WANT: your ball, of so many records
 *         2 BALL: a part of the sender's ball
 *         3 BALL: its last part
 *         4 LOCATE: do you know where this key is
 *         5 LOCATED: its locator, as it signed it
 *   2  2  WANT: records
 *      n  BALL: records, the sender's own first in the first part (ball.ts)
 *     32  LOCATE, LOCATED: the key
 *  34  n  LOCATED: locator, then the 64 bytes of its signature
 */
const VERSION = 1;
const WANT = 1;
const PART = 2;
const LAST = 3;
const LOCATE = 4;
const LOCATED = 5;
const KEY_END = 2 + KEY_BYTES;

/** Bytes of records in one note. */
export const NOTE_RECORDS_BYTES_MAX = 998;

export interface BallNote {
  readonly type: "ball";
  readonly records: Uint8Array;
  readonly isLast: boolean;
}

export interface LocatorNote {
  readonly type: "located";
  readonly key: Uint8Array;
  readonly locator: Uint8Array;
  readonly signature: Uint8Array;
}

export type Note =
  | { readonly type: "want"; readonly size: number }
  | BallNote
  | { readonly type: "locate"; readonly key: Uint8Array }
  | LocatorNote;

export function encodeWant(size: number): Uint8Array {
  const bytes = Uint8Array.of(VERSION, WANT, 0, 0);
  writeUint16(bytes, 2, size);
  return bytes;
}

/** The notes that carry a ball's parts. */
export function encodeBall(parts: readonly Uint8Array[]): Uint8Array[] {
  return parts.map((part, i) => Uint8Array.of(VERSION, i === parts.length - 1 ? LAST : PART, ...part));
}

export function encodeLocate(key: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(VERSION, LOCATE), key);
}

export function encodeLocated(key: Uint8Array, locator: Uint8Array, signature: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(VERSION, LOCATED), key, locator, signature);
}

/** What a note says; undefined where it is none of this version. Its bytes are views. */
export function decodeNote(bytes: Uint8Array): Note | undefined {
  if (bytes[0] !== VERSION) return undefined;
  if (bytes[1] === WANT) return bytes.length === 4 ? { type: "want", size: readUint16(bytes, 2) } : undefined;
  const key = bytes.subarray(2, KEY_END);
  if (bytes[1] === LOCATE) return bytes.length === KEY_END ? { type: "locate", key } : undefined;
  if (bytes[1] === LOCATED) {
    const signatureAt = bytes.length - SIGNATURE_BYTES;
    if (signatureAt <= KEY_END) return undefined;
    const locator = bytes.subarray(KEY_END, signatureAt);
    return { type: "located", key, locator, signature: bytes.subarray(signatureAt) };
  }
  if (bytes[1] !== PART && bytes[1] !== LAST) return undefined;
  return { type: "ball", records: bytes.subarray(2), isLast: bytes[1] === LAST };
}
