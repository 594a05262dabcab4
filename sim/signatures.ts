import type { Crypto, Identity } from "../src/crypto/crypto.js";
import type { QuestionName } from "../src/crypto/verdicts.js";

/**
 * The cryptography of a network's nodes: real, but that a signature which one of them made is known to be valid without being checked.
 * Every other one is checked by the real thing. A network of a thousand nodes would spend a tenth of its time on what it knows.
 */
export class KnownSignatures implements Crypto {
  readonly name: Crypto["name"];
  /** The names of the signatures that were made, the oldest first. */
  readonly #made = new Set<string>();

  /** `max` are remembered, at 100 bytes each. */
  constructor(
    private readonly real: Crypto,
    private readonly max: number,
  ) {
    this.name = real.name;
  }

  sign(message: Uint8Array, identity: Identity): Uint8Array {
    const signature = this.real.sign(message, identity);
    if (this.#made.size >= this.max) this.#made.delete(this.#made.keys().next().value!);
    this.#made.add(quickName(identity.publicKey, signature, message));
    return signature;
  }

  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
    return this.#made.has(quickName(publicKey, signature, message)) || this.real.verify(message, signature, publicKey);
  }

  hash(message: Uint8Array): Uint8Array {
    return this.real.hash(message);
  }

  identityFromSeed(seed: Uint8Array): Identity {
    return this.real.identityFromSeed(seed);
  }

  x25519Public(secret: Uint8Array): Uint8Array {
    return this.real.x25519Public(secret);
  }

  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
    return this.real.x25519(secret, publicKey);
  }

  seal(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void {
    this.real.seal(key, nonce, ad, plaintext, out);
  }

  open(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array): boolean {
    return this.real.open(key, nonce, ad, ciphertext, out);
  }
}

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
