/**
 * The first element of every message. A frame is one msgpack array of at most 15 elements, so its kind is always the second byte.
 * Numbers are never used twice.
 */
export const Kind = {
  HELLO: 0x01,
  PROOF: 0x02,
  CERT: 0x03,
  PING: 0x08,
  PONG: 0x09,
  HEARTBEAT: 0x10,
  ANNOUNCE: 0x11,
  ANNOUNCE_REQUEST: 0x12,
  SEQ_REQUEST: 0x13,
  ROOT_LOST: 0x14,
  REG: 0x18,
  REG_REFUSED: 0x19,
  PROBE: 0x20,
  PROBE_REPLY: 0x21,
  ROUTE_BROKEN: 0x22,
  BALL_REQUEST: 0x28,
  BALL: 0x29,
  DATA: 0x30,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** The kind of a message, or −1 where it does not begin like a frame. */
export function kindOf(message: Uint8Array): number {
  return message.length >= 2 && message[0]! >>> 4 === 0x9 ? message[1]! : -1;
}
