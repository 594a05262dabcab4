/**
 * The one interface to cryptography. The pure folders call nothing else; `portable.ts` implements it in JavaScript, the driver
 * puts a native set in. Both stand behind `checks.ts`, so their verdicts on odd input are equal.
 *
 * Public keys, signatures and ciphertexts come from others: odd ones give false or undefined, never an exception. Secrets, nonces
 * and output buffers are our own: one of a wrong size is our error and throws a RangeError that names it.
 */
export interface Crypto {
  readonly name: "portable" | "native";

  /** SHA-512 of `message`, 64 bytes (FIPS 180-4). */
  hash(message: Uint8Array): Uint8Array;

  /** Ed25519 (RFC 8032) key pair of a 32-byte seed. */
  identityFromSeed(seed: Uint8Array): Identity;

  /** Ed25519 signature, 64 bytes. */
  sign(message: Uint8Array, identity: Identity): Uint8Array;

  /**
   * True where `signature` is valid: S < L, key and R canonical and not of small order, and SB = R + kA holds exactly, without the
   * cofactor. False for anything else, wrong sizes too. Never throws.
   */
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean;

  /** X25519 public key of a 32-byte secret (RFC 7748). */
  x25519Public(secret: Uint8Array): Uint8Array;

  /** X25519 shared secret; undefined where `publicKey` is not 32 bytes or has small order (the secret would be zero). */
  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined;

  /**
   * ChaCha20-Poly1305 (RFC 8439): writes `plaintext.length + 16` bytes to `out`, which must have exactly that length and must not
   * overlap the plaintext. `nonce` is 12 bytes, `key` 32.
   */
  seal(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void;

  /**
   * Opens what `seal` made: writes `ciphertext.length - 16` bytes to `out`, which must have exactly that length and may be the beginning
   * of the ciphertext itself, and gives true; or gives false and leaves `out` undefined in content. A ciphertext of less than 16 bytes
   * gives false.
   */
  open(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array): boolean;
}

/** A node's long-term keys. Made by `identityFromSeed` only: a signature under a public key of another seed gives the seed away. */
export interface Identity {
  /** 32-byte Ed25519 public key: the node's address. */
  readonly publicKey: Uint8Array;
  /** 32-byte Ed25519 seed. */
  readonly seed: Uint8Array;
  /** The same key pair in X25519 form, for Noise. */
  readonly x25519Secret: Uint8Array;
  readonly x25519Public: Uint8Array;
}

/** Gives `sizeBytes` fresh random bytes; the driver's is the operating system's, the simulator's is seeded. */
export type RandomBytes = (sizeBytes: number) => Uint8Array;

/** Bytes of a SHA-512 hash. */
export const HASH_BYTES = 64;
/** Bytes of an Ed25519 seed, an X25519 secret, a public key of either, and a cipher key. */
export const KEY_BYTES = 32;
/** Bytes of an Ed25519 signature: R, then S. */
export const SIGNATURE_BYTES = 64;
/** Bytes of a ChaCha20-Poly1305 nonce. */
export const NONCE_BYTES = 12;
/** Bytes that `seal` adds to the plaintext. */
export const TAG_BYTES = 16;
