/** Variable-length integers of RFC 9000 16, up to 2^53 - 1. */

/** Largest value that is written or accepted. */
export const VARINT_MAX = Number.MAX_SAFE_INTEGER;
/** Bytes of the longest encoding. */
export const VARINT_BYTES_MAX = 8;

const TWO_32 = 2 ** 32;

/** Bytes that `value` takes: 1, 2, 4 or 8. */
export function varintBytes(value: number): number {
  if (value < 0x40) return 1;
  if (value < 0x4000) return 2;
  return value < 0x4000_0000 ? 4 : VARINT_BYTES_MAX;
}

/** Writes `value` at `at`, in its shortest form; gives the position after it. */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  if (value < 0x40) {
    out[at] = value;
    return at + 1;
  }
  if (value < 0x4000) {
    out[at] = 0x40 | (value >>> 8);
    out[at + 1] = value;
    return at + 2;
  }
  if (value < 0x4000_0000) {
    writeUint32(out, at, (0x8000_0000 | value) >>> 0);
    return at + 4;
  }
  writeUint32(out, at, (0xc000_0000 | Math.floor(value / TWO_32)) >>> 0);
  writeUint32(out, at + 4, value % TWO_32);
  return at + 8;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function writeUint32(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}
