import { x25519FromEd25519 } from "../crypto/convert.js";
import type { Crypto, Identity, RandomBytes } from "../crypto/crypto.js";
import { KEY_BYTES } from "../crypto/crypto.js";
import { concatBytes, equalBytes, utf8 } from "../wire/bytes.js";
import { PacketDrop } from "./codes.js";
import type { SessionConfig } from "./config.js";
import { HalfOpen } from "./half-open.js";
import { Initiation } from "./initiation.js";
import { SessionKeys } from "./keys.js";
import { NoiseInitiator, type NoiseOptions, NoiseResponder } from "./noise.js";
import {
  INDEX_BYTES,
  INIT_HEADER_BYTES,
  INIT_PAYLOAD_BYTES,
  initPacket,
  LOCATOR_BYTES_MAX,
  RESPONSE_HEADER_BYTES,
  RESPONSE_PAYLOAD_BYTES,
  responsePacket,
} from "./packet.js";
import { readUint32, writeUint32 } from "./varint.js";

/** Starts the prologue; a zero byte and the network id follow. */
const PROLOGUE_TAG = "pinyon/1 session";

/** Bytes of a pre-shared secret (Noise 9.1). */
export const SECRET_BYTES = 32;

/** What a node brings to every handshake. */
export interface HandshakeOptions {
  readonly crypto: Crypto;
  readonly identity: Identity;
  /** Handshakes of different networks do not authenticate. */
  readonly networkId: Uint8Array;
  /** Pre-shared secret of a private network, 32 bytes. */
  readonly secret?: Uint8Array | undefined;
  readonly random: RandomBytes;
  /** The node's own locator now, at most 1,000 bytes. */
  readonly locator: () => Uint8Array;
  readonly config: SessionConfig;
}

/** What an answer to our handshake gives. */
export interface Completion {
  readonly remoteIndex: number;
  readonly keys: SessionKeys;
  readonly locator: Uint8Array;
}

/** A handshake that a peer began, read and checked. */
export interface HandshakeRequest {
  /** HANDSHAKE_INIT, a copy. */
  readonly packet: Uint8Array;
  readonly noise: NoiseResponder;
  readonly remoteKey: Uint8Array;
  readonly locator: Uint8Array;
  readonly remoteIndex: number;
}

/** Makes and checks handshake packets for one node. */
export class Handshaker {
  readonly #options: HandshakeOptions;
  readonly #noise: NoiseOptions;

  constructor(options: HandshakeOptions) {
    const { crypto, identity, secret } = options;
    if (secret !== undefined && secret.length !== SECRET_BYTES) {
      throw new RangeError(`a pre-shared secret of ${secret.length} bytes, expected ${SECRET_BYTES}`);
    }
    this.#options = options;
    this.#noise = {
      crypto,
      secret,
      prologue: concatBytes(utf8(PROLOGUE_TAG), new Uint8Array(1), options.networkId),
      static: { secret: identity.x25519Secret, public: identity.x25519Public },
    };
  }

  /** Begins a handshake; undefined where `remoteKey` is not the key of a node. */
  begin(remoteKey: Uint8Array, index: number, nowMs: number): Initiation | undefined {
    const remoteStatic = x25519FromEd25519(remoteKey);
    if (remoteStatic === undefined) return undefined;
    const payload = concatBytes(indexBytes(index), this.#options.identity.publicKey, this.#locator());
    const noise = NoiseInitiator.begin(this.#noise, remoteStatic, this.#options.random(KEY_BYTES), payload);
    return noise && new Initiation(noise, initPacket(noise.message), this.#options.config, nowMs);
  }

  /** Reads HANDSHAKE_RESPONSE; undefined where it does not authenticate. */
  complete(initiation: Initiation, packet: Uint8Array, nowMs: number): Completion | undefined {
    const result = initiation.noise.readMessage2(packet.subarray(RESPONSE_HEADER_BYTES));
    if (result === undefined || result.payload.length < RESPONSE_PAYLOAD_BYTES) return undefined;
    const remoteIndex = readUint32(result.payload, 0);
    const keys = this.#keys(remoteIndex, result.initiatorKey, result.responderKey, nowMs);
    return { remoteIndex, keys, locator: result.payload.slice(RESPONSE_PAYLOAD_BYTES) };
  }

  /**
   * Reads HANDSHAKE_INIT: who sent it, after the checks that need no state. Gives a positive `PacketDrop` where one fails:
   * HANDSHAKE_INVALID, KEY_MISMATCH, SELF.
   */
  read(packet: Uint8Array): HandshakeRequest | number {
    const noise = NoiseResponder.read(this.#noise, packet.subarray(INIT_HEADER_BYTES));
    if (noise === undefined || noise.payload.length < INIT_PAYLOAD_BYTES) return PacketDrop.HANDSHAKE_INVALID;
    const remoteKey = noise.payload.slice(INDEX_BYTES, INIT_PAYLOAD_BYTES);
    const claimed = x25519FromEd25519(remoteKey);
    if (claimed === undefined || !equalBytes(claimed, noise.remoteStatic)) return PacketDrop.KEY_MISMATCH;
    if (equalBytes(remoteKey, this.#options.identity.publicKey)) return PacketDrop.SELF;
    const locator = noise.payload.slice(INIT_PAYLOAD_BYTES);
    return { packet: packet.slice(), noise, remoteKey, locator, remoteIndex: readUint32(noise.payload, 0) };
  }

  /** Answers a handshake that was read. */
  answer(request: HandshakeRequest, index: number, ephemeral: string, nowMs: number): HalfOpen | undefined {
    const payload = concatBytes(indexBytes(index), this.#locator());
    const answered = request.noise.answer(this.#options.random(KEY_BYTES), payload);
    if (answered === undefined) return undefined;
    const { initiatorKey, responderKey } = answered.result;
    const keys = this.#keys(request.remoteIndex, responderKey, initiatorKey, nowMs);
    const packet = responsePacket(request.remoteIndex, answered.message);
    const staleMs = nowMs + this.#options.config.handshakeTimeoutMs;
    return new HalfOpen(request, ephemeral, index, keys, packet, staleMs);
  }

  #locator(): Uint8Array {
    const locator = this.#options.locator();
    if (locator.length > LOCATOR_BYTES_MAX) throw new RangeError(`a locator of ${locator.length} bytes`);
    return locator;
  }

  #keys(remoteIndex: number, sendKey: Uint8Array, receiveKey: Uint8Array, nowMs: number): SessionKeys {
    return new SessionKeys(this.#options.crypto, this.#options.config, remoteIndex, sendKey, receiveKey, nowMs);
  }
}

function indexBytes(index: number): Uint8Array {
  const bytes = new Uint8Array(INDEX_BYTES);
  writeUint32(bytes, 0, index);
  return bytes;
}
