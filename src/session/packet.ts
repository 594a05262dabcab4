/**
 * Packets: what sessions put into DATA frames. All integers are big-endian; a packet ends where the frame's payload ends.
 *
 *     initiator                              responder
 *       HANDSHAKE_INIT      ── message 1 ──▶   opens a half-open session, answers
 *       ◀── message 2 ──    HANDSHAKE_RESPONSE
 *       TRANSPORT           ─────────────▶   the first that authenticates completes the session
 *       ◀─────────────────▶ TRANSPORT
 *
 *     version 1: the three types below
 */
import { KEY_BYTES, TAG_BYTES } from "../crypto/crypto.js";
import { PAYLOAD_BYTES_MAX } from "../wire/limits.js";
import { MESSAGE_1_BYTES, MESSAGE_2_BYTES } from "./noise.js";
import { readUint32, writeUint32 } from "./varint.js";

/** The first byte of a packet. Numbers are never used twice. */
export const PacketType = {
  /** `[1][message 1: ephemeral 32, static 48, sealed payload: sender index 4, Ed25519 key 32, locator 0..1000; tag 16]` */
  HANDSHAKE_INIT: 1,
  /** `[2][receiver index 4][message 2: ephemeral 32, sealed payload: sender index 4, locator 0..1000; tag 16]` */
  HANDSHAKE_RESPONSE: 2,
  /** `[3][receiver index 4][key phase 1][packet number 6][frames, sealed][tag 16]` */
  TRANSPORT: 3,
} as const;

/** Bytes of a locator in a handshake; its content is the node's affair. */
export const LOCATOR_BYTES_MAX = 1_000;

/** Bytes of an index: where the receiver of a packet finds its session. Each side chooses its own at random. */
export const INDEX_BYTES = 4;
/** Bytes before message 1, and of its payload before the locator. */
export const INIT_HEADER_BYTES = 1;
export const INIT_PAYLOAD_BYTES = INDEX_BYTES + KEY_BYTES;
/** Bytes before message 2, and of its payload before the locator. */
export const RESPONSE_HEADER_BYTES = 1 + INDEX_BYTES;
export const RESPONSE_PAYLOAD_BYTES = INDEX_BYTES;

const INIT_BYTES_MIN = INIT_HEADER_BYTES + MESSAGE_1_BYTES + INIT_PAYLOAD_BYTES;
const RESPONSE_BYTES_MIN = RESPONSE_HEADER_BYTES + MESSAGE_2_BYTES + RESPONSE_PAYLOAD_BYTES;

/** Bytes before the sealed frames: the additional data of the seal. */
export const TRANSPORT_HEADER_BYTES = 12;
/** Bytes of a TRANSPORT packet that are not frames. */
export const TRANSPORT_OVERHEAD_BYTES = TRANSPORT_HEADER_BYTES + TAG_BYTES;

/** Smallest and largest `SessionConfig.packetBytes`: a handshake must fit, and so must a frame. */
export const PACKET_BYTES_MIN = 1_200;
export const PACKET_BYTES_MAX = PAYLOAD_BYTES_MAX;

/** Packet numbers: 48 bits, never used twice under one key. */
export const PACKET_NUMBER_MAX = 2 ** 48 - 1;

const INDEX_AT = 1;
const PHASE_AT = 5;
const NUMBER_AT = 6;

/** The type of a packet whose length is within that type's limits; undefined for anything else. */
export function packetType(packet: Uint8Array): number | undefined {
  const size = packet.length;
  switch (packet[0]) {
    case PacketType.HANDSHAKE_INIT:
      return size >= INIT_BYTES_MIN && size <= INIT_BYTES_MIN + LOCATOR_BYTES_MAX
        ? PacketType.HANDSHAKE_INIT
        : undefined;
    case PacketType.HANDSHAKE_RESPONSE:
      return size >= RESPONSE_BYTES_MIN && size <= RESPONSE_BYTES_MIN + LOCATOR_BYTES_MAX
        ? PacketType.HANDSHAKE_RESPONSE
        : undefined;
    case PacketType.TRANSPORT:
      return size > TRANSPORT_OVERHEAD_BYTES && size <= PACKET_BYTES_MAX ? PacketType.TRANSPORT : undefined;
    default:
      return undefined;
  }
}

export function initPacket(message: Uint8Array): Uint8Array {
  const packet = new Uint8Array(INIT_HEADER_BYTES + message.length);
  packet[0] = PacketType.HANDSHAKE_INIT;
  packet.set(message, INIT_HEADER_BYTES);
  return packet;
}

export function responsePacket(receiverIndex: number, message: Uint8Array): Uint8Array {
  const packet = new Uint8Array(RESPONSE_HEADER_BYTES + message.length);
  packet[0] = PacketType.HANDSHAKE_RESPONSE;
  writeUint32(packet, INDEX_AT, receiverIndex);
  packet.set(message, RESPONSE_HEADER_BYTES);
  return packet;
}

/** A copy of `packet` with `start` free bytes before it. */
export function withRoom(packet: Uint8Array, start: number): Uint8Array {
  const buffer = new Uint8Array(start + packet.length);
  buffer.set(packet, start);
  return buffer;
}

/** The ephemeral key in HANDSHAKE_INIT, which tells one message 1 from another. */
export function ephemeralOf(packet: Uint8Array): Uint8Array {
  return packet.subarray(INIT_HEADER_BYTES, INIT_HEADER_BYTES + KEY_BYTES);
}

/** The receiver's index in HANDSHAKE_RESPONSE and TRANSPORT. */
export function receiverIndexOf(packet: Uint8Array): number {
  return readUint32(packet, INDEX_AT);
}

/** Writes the header of a TRANSPORT packet to the first bytes of `out`. */
export function writeTransportHeader(out: Uint8Array, receiverIndex: number, phase: number, number: number): void {
  out[0] = PacketType.TRANSPORT;
  writeUint32(out, INDEX_AT, receiverIndex);
  out[PHASE_AT] = phase;
  out[NUMBER_AT] = number / 2 ** 40;
  out[NUMBER_AT + 1] = number / 2 ** 32;
  writeUint32(out, NUMBER_AT + 2, number % 2 ** 32);
}

/** The frames of an opened TRANSPORT packet. */
export function framesOf(packet: Uint8Array): Uint8Array {
  return packet.subarray(TRANSPORT_HEADER_BYTES, packet.length - TAG_BYTES);
}

/** The low eight bits of the sender's key phase. */
export function keyPhaseOf(packet: Uint8Array): number {
  return packet[PHASE_AT]!;
}

export function packetNumberOf(packet: Uint8Array): number {
  return (packet[NUMBER_AT]! * 256 + packet[NUMBER_AT + 1]!) * 2 ** 32 + readUint32(packet, NUMBER_AT + 2);
}
