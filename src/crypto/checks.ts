import { x25519SecretFromSeed } from "./convert.js";
import { type Crypto, type Identity, KEY_BYTES, NONCE_BYTES, SIGNATURE_BYTES, TAG_BYTES } from "./crypto.js";
import { isReducedScalar, isSmallOrderU, isUsablePoint } from "./points.js";

/** What a library does. It is called with sizes already checked, and with no point of small order. */
export interface RawCrypto {
  readonly name: Crypto["name"];
  hash(message: Uint8Array): Uint8Array;
  ed25519Public(seed: Uint8Array): Uint8Array;
  /** `secretKey` is the 32-byte seed, then the public key. */
  sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array;
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean;
  x25519Public(secret: Uint8Array): Uint8Array;
  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array;
  seal(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void;
  open(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array): boolean;
}

/**
 * A library behind the checks that all sets share. Libraries differ at the edges: tweetnacl takes S + L for S and the identity as a
 * public key, sodium does not. Nodes with different sets must come to the same verdict, or one signature would split the mesh.
 */
export class CheckedCrypto implements Crypto {
  readonly name: Crypto["name"];
  readonly #raw: RawCrypto;

  constructor(raw: RawCrypto) {
    this.name = raw.name;
    this.#raw = raw;
  }

  hash(message: Uint8Array): Uint8Array {
    return this.#raw.hash(message);
  }

  identityFromSeed(seed: Uint8Array): Identity {
    assertSize("seed", seed, KEY_BYTES);
    const x25519Secret = x25519SecretFromSeed(seed);
    return {
      publicKey: this.#raw.ed25519Public(seed),
      seed,
      x25519Secret,
      x25519Public: this.#raw.x25519Public(x25519Secret),
    };
  }

  sign(message: Uint8Array, identity: Identity): Uint8Array {
    const secretKey = new Uint8Array(2 * KEY_BYTES);
    assertSize("seed", identity.seed, KEY_BYTES);
    assertSize("public key", identity.publicKey, KEY_BYTES);
    secretKey.set(identity.seed);
    secretKey.set(identity.publicKey, KEY_BYTES);
    return this.#raw.sign(message, secretKey);
  }

  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
    if (signature.length !== SIGNATURE_BYTES || publicKey.length !== KEY_BYTES) return false;
    if (!isReducedScalar(signature.subarray(KEY_BYTES))) return false;
    if (!isUsablePoint(publicKey) || !isUsablePoint(signature.subarray(0, KEY_BYTES))) return false;
    return this.#raw.verify(message, signature, publicKey);
  }

  x25519Public(secret: Uint8Array): Uint8Array {
    assertSize("secret", secret, KEY_BYTES);
    return this.#raw.x25519Public(secret);
  }

  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
    assertSize("secret", secret, KEY_BYTES);
    if (publicKey.length !== KEY_BYTES || isSmallOrderU(publicKey)) return undefined;
    return this.#raw.x25519(secret, publicKey);
  }

  seal(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void {
    assertSize("key", key, KEY_BYTES);
    assertSize("nonce", nonce, NONCE_BYTES);
    assertSize("output", out, plaintext.length + TAG_BYTES);
    this.#raw.seal(key, nonce, ad, plaintext, out);
  }

  open(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array): boolean {
    assertSize("key", key, KEY_BYTES);
    assertSize("nonce", nonce, NONCE_BYTES);
    if (ciphertext.length < TAG_BYTES) return false;
    assertSize("output", out, ciphertext.length - TAG_BYTES);
    return this.#raw.open(key, nonce, ad, ciphertext, out);
  }
}

function assertSize(what: string, bytes: Uint8Array, sizeBytes: number): void {
  if (bytes.length !== sizeBytes) throw new RangeError(`the ${what} has ${bytes.length} bytes, expected ${sizeBytes}`);
}
