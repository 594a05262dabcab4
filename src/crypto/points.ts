/**
 * Checks of encoded points and scalars, byte by byte. Everything here is public (received keys and signatures), so the comparisons
 * need not take constant time. All encodings are 32 bytes, little-endian, the top bit of the last byte apart: the sign of x in
 * Ed25519 (RFC 8032 5.1.2), ignored in X25519 (RFC 7748 5).
 */

/** The field's prime p = 2^255 - 19. */
const P = fromHex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
/** The base point's order L = 2^252 + 27742317777372353535851937790883648493. */
const L = fromHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

/**
 * The y of the eight Ed25519 points of small order, each with either sign of x (Chalkias, Garillot, Nikolaenko: "Taming the many
 * EdDSAs", table 1). The encodings with y >= p are refused as not canonical.
 */
const SMALL_ORDER_Y = [
  "0000000000000000000000000000000000000000000000000000000000000000", // 0, order 4
  "0100000000000000000000000000000000000000000000000000000000000000", // 1, order 1
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p - 1, order 2
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
].map(fromHex);

/**
 * The u of the X25519 points of small order, on the curve and on its twist, with the encodings that are not reduced
 * (https://cr.yp.to/ecdh.html#validate; those above 2^255 fall onto these with the top bit cleared).
 */
const SMALL_ORDER_U = [
  "0000000000000000000000000000000000000000000000000000000000000000", // 0, order 2
  "0100000000000000000000000000000000000000000000000000000000000000", // 1, order 4
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", // order 8
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157", // order 8
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p - 1, order 4 on the twist
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p = 0
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p + 1 = 1
].map(fromHex);

/**
 * True for an Ed25519 point encoding that is canonical and not of small order; whether it lies on the curve is not looked at.
 * Canonical is y < p and, where x = 0, a clear sign bit; x = 0 has y = ±1 only, which small order refuses with either sign.
 */
export function isUsablePoint(encoding: Uint8Array): boolean {
  return isBelow(encoding, P, 0x7f) && !isListed(encoding, SMALL_ORDER_Y);
}

/** True for a scalar below L, which leaves a signature only one S (RFC 8032 5.1.7). */
export function isReducedScalar(encoding: Uint8Array): boolean {
  return isBelow(encoding, L, 0xff);
}

/** True for an X25519 public key with which every shared secret is zero. */
export function isSmallOrderU(encoding: Uint8Array): boolean {
  return isListed(encoding, SMALL_ORDER_U);
}

function isBelow(encoding: Uint8Array, limit: Uint8Array, topByteMask: number): boolean {
  for (let i = 31; i >= 0; i--) {
    const byte = i === 31 ? encoding[i]! & topByteMask : encoding[i]!;
    if (byte !== limit[i]) return byte < limit[i]!;
  }
  return false;
}

function isListed(encoding: Uint8Array, list: readonly Uint8Array[]): boolean {
  return list.some((listed) => isSameWithoutTopBit(encoding, listed));
}

function isSameWithoutTopBit(encoding: Uint8Array, listed: Uint8Array): boolean {
  for (let i = 0; i < 31; i++) if (encoding[i] !== listed[i]) return false;
  return (encoding[31]! & 0x7f) === listed[31];
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
