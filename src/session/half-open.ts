import type { HandshakeRequest } from "./handshake.js";
import type { SessionKeys } from "./keys.js";
import { withRoom } from "./packet.js";

/** Our side of a handshake that a peer began, until its first packet. */
export class HalfOpen {
  readonly remoteKey: Uint8Array;
  readonly locator: Uint8Array;
  readonly index: number;
  readonly keys: SessionKeys;
  /** Too old to be answered or confirmed after this. */
  readonly staleMs: number;
  /** HANDSHAKE_INIT as it came, and its ephemeral key as the key of a map. */
  readonly request: Uint8Array;
  readonly ephemeral: string;
  /** HANDSHAKE_RESPONSE: the same each time the same HANDSHAKE_INIT comes. */
  readonly packet: Uint8Array;
  /** True where the answer is to be sent. */
  answerDue = true;
  /** Set by the endpoint: waiting for its turn to send. */
  queued = false;

  constructor(
    request: HandshakeRequest,
    ephemeral: string,
    index: number,
    keys: SessionKeys,
    packet: Uint8Array,
    staleMs: number,
  ) {
    this.remoteKey = request.remoteKey;
    this.locator = request.locator;
    this.request = request.packet;
    this.ephemeral = ephemeral;
    this.index = index;
    this.keys = keys;
    this.packet = packet;
    this.staleMs = staleMs;
  }

  hasPacket(nowMs: number): boolean {
    return this.answerDue && nowMs <= this.staleMs;
  }

  transmit(start: number): Uint8Array {
    this.answerDue = false;
    return withRoom(this.packet, start);
  }
}
