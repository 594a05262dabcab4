/**
 * The one interface to cryptography. The pure folders call nothing else; `portable.ts` implements it in JavaScript, the driver
 * puts a native set in. Both stand behind `checks.ts`, so their verdicts on odd input are equal.
 */
export interface Crypto {
  readonly name: "portable" | "native";

  /** SHA-512 of `message`, 64 bytes (FIPS 180-4). */
  hash(message: Uint8Array): Uint8Array;

  /** Ed25519 (RFC 8032) key pair of a 32-byte seed. */
  identityFromSeed(seed: Uint8Array): Identity;

  /** Ed25519 signature, 64 bytes. */
  sign(message: Uint8Array, identity: Identity): Uint8Array;

  /** True for a valid Ed25519 signature under a canonical key of full order, with S < L; false for anything else. Never throws. */
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean;

  /** X25519 public key of a 32-byte secret (RFC 7748). */
  x25519Public(secret: Uint8Array): Uint8Array;

  /** X25519 shared secret; undefined where the peer's point has small order (the secret would be zero). */
  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined;

  /**
   * ChaCha20-Poly1305 (RFC 8439): writes `plaintext.length + 16` bytes to `out`, which must have exactly that length and must not
   * overlap the plaintext. `nonce` is 12 bytes, `key` 32.
   */
  seal(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void;

  /** Opens what `seal` made: writes `ciphertext.length - 16` bytes to `out` and gives true, or gives false and leaves `out` undefined in content. */
  open(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array): boolean;
}

/** A node's long-term keys. */
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
