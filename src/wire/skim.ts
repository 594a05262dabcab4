import { CloseCode } from "./codes.js";
import { REG_ENTRIES_MAX } from "./limits.js";

/** Why bytes were not taken as a frame: the code that the peer is told. */
export type Refusal = typeof CloseCode.MALFORMED | typeof CloseCode.NON_CANONICAL;

/** Elements of an inner array. */
const INNER_ELEMENTS_MAX = REG_ENTRIES_MAX;

/**
 * Walks a control message before anything of it is decoded or allocated: an array of at most 15 elements, each an unsigned integer,
 * a binary, or an array of those; every length inside the message; each value in its shortest encoding; nothing after the end.
 * Gives 0 where all of this holds.
 */
export function skim(message: Uint8Array): 0 | Refusal {
  const first = message[0];
  if (first === undefined || first >>> 4 !== 0x9) return CloseCode.MALFORMED;
  let at = 1;
  for (let left = first & 0x0f; left > 0; left--) {
    const inner = arrayLength(message, at);
    if (inner < 0) {
      at = skipScalar(message, at);
      if (at < 0) return -at as Refusal;
      continue;
    }
    if (inner > INNER_ELEMENTS_MAX) return CloseCode.MALFORMED;
    if (inner < 16 && message[at] === 0xdc) return CloseCode.NON_CANONICAL;
    at += message[at] === 0xdc ? 3 : 1;
    for (let i = 0; i < inner; i++) {
      at = skipScalar(message, at);
      if (at < 0) return -at as Refusal;
    }
  }
  return at === message.length ? 0 : CloseCode.MALFORMED;
}

/** Elements of the array that begins at `at`, or −1 where none does. */
function arrayLength(message: Uint8Array, at: number): number {
  const head = message[at]!;
  if (head >>> 4 === 0x9) return head & 0x0f;
  if (head === 0xdc && at + 3 <= message.length) return (message[at + 1]! << 8) | message[at + 2]!;
  return -1;
}

/** The place after the integer or binary at `at`, or a refusal, negated. */
function skipScalar(message: Uint8Array, at: number): number {
  const head = message[at];
  if (head === undefined) return -CloseCode.MALFORMED;
  if (head < 0x80) return at + 1;
  const headBytes = HEAD_BYTES[head];
  if (headBytes === undefined || at + headBytes > message.length) return -CloseCode.MALFORMED;
  let value = 0;
  for (let i = at + 1; i < at + headBytes; i++) value = value * 256 + message[i]!;
  if (value < SHORTEST[head]!) return -CloseCode.NON_CANONICAL;
  const end = at + headBytes + (head <= 0xc6 ? value : 0);
  return end <= message.length ? end : -CloseCode.MALFORMED;
}

/** Bytes of the head of bin 8/16/32 and of uint 8/16/32/64. */
const HEAD_BYTES: Record<number, number> = { 196: 2, 197: 3, 198: 5, 204: 2, 205: 3, 206: 5, 207: 9 };
/** The least value that has no shorter encoding. */
const SHORTEST: Record<number, number> = {
  196: 0,
  197: 0x100,
  198: 0x10000,
  204: 0x80,
  205: 0x100,
  206: 0x10000,
  207: 0x100000000,
};
