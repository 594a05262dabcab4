import { type Crypto, NONCE_BYTES } from "../crypto/crypto.js";
import { PacketDrop } from "./codes.js";
import type { SessionConfig } from "./config.js";
import { rekey, writeNoiseNonce } from "./noise.js";
import {
  framesOf,
  keyPhaseOf,
  packetNumberOf,
  TRANSPORT_HEADER_BYTES,
  TRANSPORT_OVERHEAD_BYTES,
  writeTransportHeader,
} from "./packet.js";
import { ReplayWindow } from "./replay.js";

/** Used within one call only, so that a packet costs no allocation beside its own. */
const header = new Uint8Array(TRANSPORT_HEADER_BYTES);
const nonce = new Uint8Array(NONCE_BYTES);

/**
 * The keys of one session: seals and opens TRANSPORT packets, numbers them, refuses replays, and replaces the key of each direction
 * as it grows old. A sender moves to its next key on its own (Noise REKEY) and says so by the key phase; the receiver follows with
 * the first packet that opens, and keeps the old key for what comes late.
 */
export class SessionKeys {
  readonly #crypto: Crypto;
  readonly #config: SessionConfig;
  readonly #remoteIndex: number;
  readonly #replay = new ReplayWindow();

  #sendKey: Uint8Array;
  #sendPhase = 0;
  #sendPhaseStartMs: number;
  #sendPhaseFirst = 0;
  #sendPhaseSeen = false;
  #nextNumber = 0;

  #receiveKey: Uint8Array;
  #receivePhase = 0;
  #nextReceiveKey: Uint8Array | undefined;
  #oldReceiveKey: Uint8Array | undefined;

  /** Of the packet opened last: its number, whether that is the highest so far, and whether it is the first under a new key. */
  openedNumber = -1;
  openedNewest = false;
  openedRekeyed = false;

  constructor(
    crypto: Crypto,
    config: SessionConfig,
    remoteIndex: number,
    sendKey: Uint8Array,
    receiveKey: Uint8Array,
    nowMs: number,
  ) {
    this.#crypto = crypto;
    this.#config = config;
    this.#remoteIndex = remoteIndex;
    this.#sendKey = sendKey;
    this.#receiveKey = receiveKey;
    this.#sendPhaseStartMs = nowMs;
  }

  /** Number of the next packet. */
  get nextNumber(): number {
    return this.#nextNumber;
  }

  /** True from a rekey of ours until the peer acknowledged a packet under the new key: until then there is no other. */
  get rekeyUnconfirmed(): boolean {
    return this.#sendPhase > 0 && !this.#sendPhaseSeen;
  }

  /** How often each direction's key was replaced. */
  get phases(): { sent: number; received: number } {
    return { sent: this.#sendPhase, received: this.#receivePhase };
  }

  /** The peer holds packet `number`, so it holds that packet's key. */
  handleAcknowledged(number: number): void {
    if (number >= this.#sendPhaseFirst) this.#sendPhaseSeen = true;
  }

  /** A packet with `frames` inside, in a new buffer with `start` free bytes before it. */
  seal(frames: Uint8Array, start: number, nowMs: number): Uint8Array {
    this.#replaceOldSendKey(nowMs);
    const number = this.#nextNumber++;
    const buffer = new Uint8Array(start + TRANSPORT_OVERHEAD_BYTES + frames.length);
    writeTransportHeader(header, this.#remoteIndex, this.#sendPhase & 0xff, number);
    writeNoiseNonce(nonce, number);
    buffer.set(header, start);
    this.#crypto.seal(this.#sendKey, nonce, header, frames, buffer.subarray(start + TRANSPORT_HEADER_BYTES));
    return buffer;
  }

  /** Opens a TRANSPORT packet in place; gives 0, and its frames are what `framesOf` gives, or the `PacketDrop`. */
  open(packet: Uint8Array): number {
    const number = packetNumberOf(packet);
    if (this.#replay.isReplay(number)) return PacketDrop.REPLAYED;
    const key = this.#receiveKeyOf(keyPhaseOf(packet));
    if (key === undefined) return PacketDrop.KEY_PHASE;
    const sealed = packet.subarray(TRANSPORT_HEADER_BYTES);
    for (let i = 0; i < TRANSPORT_HEADER_BYTES; i++) header[i] = packet[i]!;
    writeNoiseNonce(nonce, number);
    if (!this.#crypto.open(key, nonce, header, sealed, framesOf(packet))) return PacketDrop.NOT_AUTHENTIC;
    this.openedRekeyed = key === this.#nextReceiveKey;
    if (this.openedRekeyed) this.#followPeer();
    this.openedNumber = number;
    this.openedNewest = number > this.#replay.largest;
    this.#replay.mark(number);
    return PacketDrop.NONE;
  }

  /** Forgets the receive key before the last rekey. */
  forgetOldKey(): void {
    this.#oldReceiveKey?.fill(0);
    this.#oldReceiveKey = undefined;
  }

  #replaceOldSendKey(nowMs: number): void {
    const { rekeyPackets, rekeyMs } = this.#config;
    const packets = this.#nextNumber - this.#sendPhaseFirst;
    if (packets < rekeyPackets && nowMs - this.#sendPhaseStartMs < rekeyMs) return;
    if (!this.#sendPhaseSeen) return;
    const old = this.#sendKey;
    this.#sendKey = rekey(this.#crypto, old);
    old.fill(0);
    this.#sendPhase++;
    this.#sendPhaseStartMs = nowMs;
    this.#sendPhaseFirst = this.#nextNumber;
    this.#sendPhaseSeen = false;
  }

  #receiveKeyOf(phase: number): Uint8Array | undefined {
    switch ((phase - this.#receivePhase) & 0xff) {
      case 0:
        return this.#receiveKey;
      case 1:
        this.#nextReceiveKey ??= rekey(this.#crypto, this.#receiveKey);
        return this.#nextReceiveKey;
      case 0xff:
        return this.#oldReceiveKey;
      default:
        return undefined;
    }
  }

  #followPeer(): void {
    this.forgetOldKey();
    this.#oldReceiveKey = this.#receiveKey;
    this.#receiveKey = this.#nextReceiveKey!;
    this.#nextReceiveKey = undefined;
    this.#receivePhase++;
  }
}
