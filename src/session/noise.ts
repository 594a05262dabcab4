/**
 * The handshake `Noise_IK_25519_ChaChaPoly_SHA512`, `Noise_IKpsk2_25519_ChaChaPoly_SHA512` with a pre-shared secret (Noise revision
 * 34). It knows nothing of packets: bytes in, bytes out. Its published vectors are a test.
 *
 *     <- s
 *     ...
 *     -> e, es, s, ss
 *     <- e, ee, se (, psk)
 */
import { type Crypto, HASH_BYTES, KEY_BYTES, NONCE_BYTES, TAG_BYTES } from "../crypto/crypto.js";
import { hkdf } from "../crypto/hkdf.js";
import { concatBytes, utf8 } from "../wire/bytes.js";

/** Bytes of message 1 and message 2 beside their payloads. */
export const MESSAGE_1_BYTES = KEY_BYTES + (KEY_BYTES + TAG_BYTES) + TAG_BYTES;
export const MESSAGE_2_BYTES = KEY_BYTES + TAG_BYTES;

const STATIC_AT = KEY_BYTES;
const PAYLOAD_1_AT = STATIC_AT + KEY_BYTES + TAG_BYTES;
const PAYLOAD_2_AT = KEY_BYTES;
const EMPTY = new Uint8Array(0);

/** An X25519 key pair. */
export interface KeyPair {
  readonly secret: Uint8Array;
  readonly public: Uint8Array;
}

/** What both sides bring to a handshake. */
export interface NoiseOptions {
  readonly crypto: Crypto;
  readonly prologue: Uint8Array;
  /** 32 bytes; the handshake is IKpsk2 where it is given. */
  readonly secret?: Uint8Array | undefined;
  readonly static: KeyPair;
}

/** The result: a key for each direction, and the hash that stands for the whole handshake. */
export interface NoiseResult {
  readonly payload: Uint8Array;
  readonly initiatorKey: Uint8Array;
  readonly responderKey: Uint8Array;
  readonly handshakeHash: Uint8Array;
}

/** The initiator between message 1 and message 2. */
export class NoiseInitiator {
  readonly #options: NoiseOptions;
  readonly #ephemeral: KeyPair;
  readonly #state: SymmetricState;
  /** Message 1, which may be sent any number of times. */
  readonly message: Uint8Array;

  private constructor(options: NoiseOptions, ephemeral: KeyPair, state: SymmetricState, message: Uint8Array) {
    this.#options = options;
    this.#ephemeral = ephemeral;
    this.#state = state;
    this.message = message;
  }

  /** Makes message 1. Undefined where `remoteStatic` is a point of small order. `ephemeralSecret` is 32 fresh random bytes. */
  static begin(
    options: NoiseOptions,
    remoteStatic: Uint8Array,
    ephemeralSecret: Uint8Array,
    payload: Uint8Array,
  ): NoiseInitiator | undefined {
    const { crypto } = options;
    const ephemeral = { secret: ephemeralSecret, public: crypto.x25519Public(ephemeralSecret) };
    const es = crypto.x25519(ephemeral.secret, remoteStatic);
    const ss = crypto.x25519(options.static.secret, remoteStatic);
    if (es === undefined || ss === undefined) return undefined;
    const state = SymmetricState.begin(options, remoteStatic);
    state.mixEphemeral(ephemeral.public);
    state.mixKey(es);
    const sealedStatic = state.encryptAndHash(options.static.public);
    state.mixKey(ss);
    const message = concatBytes(ephemeral.public, sealedStatic, state.encryptAndHash(payload));
    return new NoiseInitiator(options, ephemeral, state, message);
  }

  /** Reads message 2; undefined where it does not authenticate. Leaves the state as it is: another message 2 can be read. */
  readMessage2(message: Uint8Array): NoiseResult | undefined {
    if (message.length < MESSAGE_2_BYTES) return undefined;
    const { crypto } = this.#options;
    const remoteEphemeral = message.subarray(0, KEY_BYTES);
    const ee = crypto.x25519(this.#ephemeral.secret, remoteEphemeral);
    const se = crypto.x25519(this.#options.static.secret, remoteEphemeral);
    if (ee === undefined || se === undefined) return undefined;
    const state = this.#state.fork();
    state.mixEphemeral(remoteEphemeral);
    state.mixKey(ee);
    state.mixKey(se);
    state.mixSecret();
    const payload = state.decryptAndHash(message.subarray(PAYLOAD_2_AT));
    return payload && state.split(payload);
  }
}

/** The responder between message 1 and message 2. */
export class NoiseResponder {
  readonly #crypto: Crypto;
  readonly #state: SymmetricState;
  readonly #remoteEphemeral: Uint8Array;
  /** The initiator's X25519 key. */
  readonly remoteStatic: Uint8Array;
  /** Payload of message 1. */
  readonly payload: Uint8Array;

  private constructor(crypto: Crypto, state: SymmetricState, ephemeral: Uint8Array, key: Uint8Array, load: Uint8Array) {
    this.#crypto = crypto;
    this.#state = state;
    this.#remoteEphemeral = ephemeral;
    this.remoteStatic = key;
    this.payload = load;
  }

  /** Reads message 1; undefined where it does not authenticate or holds a point of small order. */
  static read(options: NoiseOptions, message: Uint8Array): NoiseResponder | undefined {
    if (message.length < MESSAGE_1_BYTES) return undefined;
    const { crypto } = options;
    const remoteEphemeral = message.slice(0, KEY_BYTES);
    const es = crypto.x25519(options.static.secret, remoteEphemeral);
    if (es === undefined) return undefined;
    const state = SymmetricState.begin(options, options.static.public);
    state.mixEphemeral(remoteEphemeral);
    state.mixKey(es);
    const remoteStatic = state.decryptAndHash(message.subarray(STATIC_AT, PAYLOAD_1_AT));
    const ss = remoteStatic && crypto.x25519(options.static.secret, remoteStatic);
    if (remoteStatic === undefined || ss === undefined) return undefined;
    state.mixKey(ss);
    const payload = state.decryptAndHash(message.subarray(PAYLOAD_1_AT));
    return payload && new NoiseResponder(crypto, state, remoteEphemeral, remoteStatic, payload);
  }

  /** Makes message 2, once. `ephemeralSecret` is 32 fresh random bytes. */
  answer(ephemeralSecret: Uint8Array, payload: Uint8Array): { message: Uint8Array; result: NoiseResult } | undefined {
    const state = this.#state;
    const ephemeralPublic = this.#crypto.x25519Public(ephemeralSecret);
    const ee = this.#crypto.x25519(ephemeralSecret, this.#remoteEphemeral);
    const se = this.#crypto.x25519(ephemeralSecret, this.remoteStatic);
    if (ee === undefined || se === undefined) return undefined;
    state.mixEphemeral(ephemeralPublic);
    state.mixKey(ee);
    state.mixKey(se);
    state.mixSecret();
    const message = concatBytes(ephemeralPublic, state.encryptAndHash(payload));
    return { message, result: state.split(this.payload) };
  }
}

/** SymmetricState and CipherState of Noise 5.1 and 5.2 in one: a handshake needs no more than one cipher key at a time. */
class SymmetricState {
  readonly #crypto: Crypto;
  readonly #secret: Uint8Array | undefined;
  #hash: Uint8Array;
  #chainingKey: Uint8Array;
  #key: Uint8Array = EMPTY;
  #nonce = 0;

  private constructor(crypto: Crypto, secret: Uint8Array | undefined, hash: Uint8Array, chainingKey: Uint8Array) {
    this.#crypto = crypto;
    this.#secret = secret;
    this.#hash = hash;
    this.#chainingKey = chainingKey;
  }

  static begin(options: NoiseOptions, responderStatic: Uint8Array): SymmetricState {
    const hash = new Uint8Array(HASH_BYTES);
    hash.set(utf8(`Noise_${options.secret === undefined ? "IK" : "IKpsk2"}_25519_ChaChaPoly_SHA512`));
    const state = new SymmetricState(options.crypto, options.secret, hash, hash);
    state.mixHash(options.prologue);
    state.mixHash(responderStatic);
    return state;
  }

  /** A copy between two messages, where the next token sets the key. */
  fork(): SymmetricState {
    return new SymmetricState(this.#crypto, this.#secret, this.#hash, this.#chainingKey);
  }

  mixHash(data: Uint8Array): void {
    this.#hash = this.#crypto.hash(concatBytes(this.#hash, data));
  }

  mixKey(input: Uint8Array): void {
    const [chainingKey, key] = hkdf(this.#crypto, this.#chainingKey, input, 2);
    this.#setKey(chainingKey!, key!);
  }

  /** The token `e`: with a pre-shared secret the ephemeral key is mixed into the key too (Noise 9.2). */
  mixEphemeral(publicKey: Uint8Array): void {
    this.mixHash(publicKey);
    if (this.#secret !== undefined) this.mixKey(publicKey);
  }

  /** The token `psk`, where there is one. */
  mixSecret(): void {
    if (this.#secret === undefined) return;
    const [chainingKey, hash, key] = hkdf(this.#crypto, this.#chainingKey, this.#secret, 3);
    this.mixHash(hash!);
    this.#setKey(chainingKey!, key!);
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const ciphertext = new Uint8Array(plaintext.length + TAG_BYTES);
    this.#crypto.seal(this.#key, noiseNonce(this.#nonce++), this.#hash, plaintext, ciphertext);
    this.mixHash(ciphertext);
    return ciphertext;
  }

  decryptAndHash(ciphertext: Uint8Array): Uint8Array | undefined {
    const plaintext = new Uint8Array(ciphertext.length - TAG_BYTES);
    if (!this.#crypto.open(this.#key, noiseNonce(this.#nonce++), this.#hash, ciphertext, plaintext)) return undefined;
    this.mixHash(ciphertext);
    return plaintext;
  }

  split(payload: Uint8Array): NoiseResult {
    const [initiatorKey, responderKey] = hkdf(this.#crypto, this.#chainingKey, EMPTY, 2);
    return {
      payload,
      initiatorKey: initiatorKey!.slice(0, KEY_BYTES),
      responderKey: responderKey!.slice(0, KEY_BYTES),
      handshakeHash: this.#hash,
    };
  }

  #setKey(chainingKey: Uint8Array, key: Uint8Array): void {
    this.#chainingKey = chainingKey;
    this.#key = key.subarray(0, KEY_BYTES);
    this.#nonce = 0;
  }
}

/** Noise's nonce for ChaChaPoly: four zero bytes, then the number, little-endian. `number` is below 2^48. */
export function noiseNonce(number: number): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  writeNoiseNonce(nonce, number);
  return nonce;
}

/** Writes that nonce into one that is used again and again. */
export function writeNoiseNonce(nonce: Uint8Array, number: number): void {
  const high = Math.floor(number / 2 ** 32);
  nonce[4] = number;
  nonce[5] = number >>> 8;
  nonce[6] = number >>> 16;
  nonce[7] = number >>> 24;
  nonce[8] = high;
  nonce[9] = high >>> 8;
}

/** Noise's REKEY for ChaChaPoly (Noise 4.2): what the cipher makes of zeros under the largest nonce. */
export function rekey(crypto: Crypto, key: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES).fill(0xff, 4);
  const sealed = new Uint8Array(KEY_BYTES + TAG_BYTES);
  crypto.seal(key, nonce, EMPTY, new Uint8Array(KEY_BYTES), sealed);
  return sealed.slice(0, KEY_BYTES);
}
