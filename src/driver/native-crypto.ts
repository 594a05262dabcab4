import { createCipheriv, createDecipheriv } from "node:crypto";
import { createRequire } from "node:module";
import type * as Sodium from "sodium-native";
import { CheckedCrypto, type RawCrypto } from "../crypto/checks.js";
import { type Crypto, HASH_BYTES, KEY_BYTES, SIGNATURE_BYTES, TAG_BYTES } from "../crypto/crypto.js";

const CIPHER = "chacha20-poly1305";
/**
 * From this size on the platform's OpenSSL seals and opens: 4 µs more a call, and 2.6 GB/s where libsodium makes 1.7. At 16 KiB it takes
 * 8 µs and libsodium 10, at 60 KiB 23 and 35.
 */
const PLATFORM_BYTES_MIN = 16_384;

/**
 * Cryptography by libsodium, and by OpenSSL where much is to be sealed. Throws where its binary cannot be loaded: it is loaded here, not when this file is imported.
 *
 * libsodium 1.0.21, in sodium-native 5.1.0, verifies without the cofactor, as tweetnacl does. Its development branch multiplies by
 * it, and would take signatures that the portable set refuses: `test/crypto/verify.test.ts` fails on such an update.
 */
export function nativeCrypto(): Crypto {
  const sodium = createRequire(import.meta.url)("sodium-native") as typeof Sodium;
  return new CheckedCrypto(rawCryptoOf(sodium));
}

function rawCryptoOf(sodium: typeof Sodium): RawCrypto {
  return {
    name: "native",
    hash: (message) => written(HASH_BYTES, (out) => sodium.crypto_hash_sha512(out, message)),
    ed25519Public: (seed) => {
      const secretKey = new Uint8Array(2 * KEY_BYTES);
      return written(KEY_BYTES, (out) => sodium.crypto_sign_seed_keypair(out, secretKey, seed));
    },
    sign: (message, secretKey) =>
      written(SIGNATURE_BYTES, (out) => sodium.crypto_sign_detached(out, message, secretKey)),
    verify: (message, signature, publicKey) => sodium.crypto_sign_verify_detached(signature, message, publicKey),
    x25519Public: (secret) => written(KEY_BYTES, (out) => sodium.crypto_scalarmult_base(out, secret)),
    x25519: (secret, publicKey) => written(KEY_BYTES, (out) => sodium.crypto_scalarmult(out, secret, publicKey)),
    seal: (key, nonce, ad, plaintext, out) => {
      if (plaintext.length >= PLATFORM_BYTES_MIN) return sealByPlatform(key, nonce, ad, plaintext, out);
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt(out, plaintext, ad, null, nonce, key);
    },
    open: (key, nonce, ad, ciphertext, out) => {
      if (out.length >= PLATFORM_BYTES_MIN) return openByPlatform(key, nonce, ad, ciphertext, out);
      try {
        return sodium.crypto_aead_chacha20poly1305_ietf_decrypt(out, null, ciphertext, ad, nonce, key) === out.length;
      } catch {
        return false; // the tag is wrong: all else that it throws for is checked before
      }
    },
  };
}

const sealByPlatform: RawCrypto["seal"] = (key, nonce, ad, plaintext, out) => {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(ad, { plaintextLength: plaintext.length });
  out.set(cipher.update(plaintext));
  cipher.final();
  out.set(cipher.getAuthTag(), plaintext.length);
};

const openByPlatform: RawCrypto["open"] = (key, nonce, ad, ciphertext, out) => {
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(ad, { plaintextLength: out.length });
  decipher.setAuthTag(ciphertext.subarray(out.length));
  const plaintext = decipher.update(ciphertext.subarray(0, out.length));
  try {
    decipher.final();
  } catch {
    return false;
  }
  out.set(plaintext);
  return true;
};

function written(sizeBytes: number, write: (out: Uint8Array) => void): Uint8Array {
  const out = new Uint8Array(sizeBytes);
  write(out);
  return out;
}
