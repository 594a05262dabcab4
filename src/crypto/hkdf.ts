import type { Crypto } from "./crypto.js";

/** Bytes that SHA-512 takes at a time. */
const BLOCK_BYTES = 128;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/** HMAC-SHA512 (RFC 2104), 64 bytes. A key of any length is taken. */
export function hmac(crypto: Crypto, key: Uint8Array, data: Uint8Array): Uint8Array {
  const blockKey = key.length > BLOCK_BYTES ? crypto.hash(key) : key;
  const inner = crypto.hash(padded(blockKey, INNER_PAD, data));
  return crypto.hash(padded(blockKey, OUTER_PAD, inner));
}

/**
 * Noise's HKDF (Noise revision 34, 4.3), which is RFC 5869 with the chaining key as salt and no info: two or three outputs of 64
 * bytes. `input` may be empty.
 */
export function hkdf(crypto: Crypto, chainingKey: Uint8Array, input: Uint8Array, outputs: 2 | 3): Uint8Array[] {
  const pseudoRandomKey = hmac(crypto, chainingKey, input);
  const results: Uint8Array[] = [];
  let previous: Uint8Array = new Uint8Array(0);
  for (let number = 1; number <= outputs; number++) {
    const data = new Uint8Array(previous.length + 1);
    data.set(previous);
    data[previous.length] = number;
    previous = hmac(crypto, pseudoRandomKey, data);
    results.push(previous);
  }
  return results;
}

function padded(blockKey: Uint8Array, pad: number, data: Uint8Array): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES + data.length).fill(pad, 0, BLOCK_BYTES);
  for (let i = 0; i < blockKey.length; i++) block[i] = blockKey[i]! ^ pad;
  block.set(data, BLOCK_BYTES);
  return block;
}
