import type { QuestionName } from "../src/crypto/verdicts.js";

/**
 * A quick name in the place of one by SHA-512: 128 bits in two halves, every byte counts, and nobody in the simulator searches for two
 * messages with one name. What is to be told apart differs in a signature, which is random, or in very little.
 */
export const quickName: QuestionName = (...parts) => {
  let [a, b, c, d] = [0x9e37_79b9, 0x3c6e_f372, 0xdaa6_6d2b, 0x78dd_e6e4];
  for (const part of parts) {
    const { length } = part;
    let i = 0;
    for (; i + 8 <= length; i += 8) {
      a = Math.imul(a ^ (part[i]! | (part[i + 1]! << 8) | (part[i + 2]! << 16) | (part[i + 3]! << 24)), 0x9e37_79b1);
      c = Math.imul(
        c ^ (part[i + 4]! | (part[i + 5]! << 8) | (part[i + 6]! << 16) | (part[i + 7]! << 24)),
        0x85eb_ca77,
      );
      b = Math.imul(b + (a ^ (a >>> 15)), 0xc2b2_ae3d);
      d = Math.imul(d + (c ^ (c >>> 15)), 0x27d4_eb2f);
    }
    for (; i < length; i++) {
      a = Math.imul(a ^ part[i]!, 0x9e37_79b1);
      b = Math.imul(b + (a ^ (a >>> 15)), 0xc2b2_ae3d);
    }
    [a, b, c, d] = [c ^ length, d, a, b];
  }
  const [w, x, y, z] = [spread(a), spread(b), spread(c), spread(d)];
  return String.fromCharCode(w >>> 16, w & 0xffff, x >>> 16, x & 0xffff, y >>> 16, y & 0xffff, z >>> 16, z & 0xffff);
};

function spread(word: number): number {
  const mixed = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b);
  return mixed ^ (mixed >>> 13);
}
