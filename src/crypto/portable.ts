import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import nacl from "tweetnacl";
import { CheckedCrypto, type RawCrypto } from "./checks.js";
import type { Crypto } from "./crypto.js";

const raw: RawCrypto = {
  name: "portable",
  hash: nacl.hash,
  ed25519Public: (seed) => nacl.sign.keyPair.fromSeed(seed).publicKey,
  sign: nacl.sign.detached,
  verify: nacl.sign.detached.verify,
  x25519Public: nacl.scalarMult.base,
  x25519: nacl.scalarMult,
  seal: (key, nonce, ad, plaintext, out) => {
    chacha20poly1305(key, nonce, ad).encrypt(plaintext, out);
  },
  open: (key, nonce, ad, ciphertext, out) => {
    const cipher = chacha20poly1305(key, nonce, ad);
    try {
      cipher.decrypt(ciphertext, out);
      return true;
    } catch {
      return false; // the tag is wrong: all else that it throws for is checked before
    }
  },
};

/** Cryptography in JavaScript only, for machines on which the native set does not run, and for the simulator anywhere. */
export const portableCrypto: Crypto = new CheckedCrypto(raw);
