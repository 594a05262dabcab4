/** What `native-crypto.ts` uses of sodium-native, which has no types. Output buffers come first; sizes are asserted by the library. */
declare module "sodium-native" {
  export function crypto_hash_sha512(out: Uint8Array, message: Uint8Array): void;

  export function crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
  export function crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
  export function crypto_sign_verify_detached(
    signature: Uint8Array,
    message: Uint8Array,
    publicKey: Uint8Array,
  ): boolean;

  export function crypto_scalarmult_base(publicKey: Uint8Array, secret: Uint8Array): void;
  /** Throws where the shared secret would be zero. */
  export function crypto_scalarmult(shared: Uint8Array, secret: Uint8Array, publicKey: Uint8Array): void;

  /** Gives the bytes written to `ciphertext`. */
  export function crypto_aead_chacha20poly1305_ietf_encrypt(
    ciphertext: Uint8Array,
    plaintext: Uint8Array,
    ad: Uint8Array,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  /** Gives the bytes written to `plaintext`; throws where the tag is wrong. */
  export function crypto_aead_chacha20poly1305_ietf_decrypt(
    plaintext: Uint8Array,
    secretNonce: null,
    ciphertext: Uint8Array,
    ad: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
}
