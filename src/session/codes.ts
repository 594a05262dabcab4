/**
 * Why a session ended: the number in CLOSE, the code of the `closed` event. Codes from `APPLICATION` on belong to whoever uses the
 * streams. Numbers are never used twice. PROTOCOL.md has the same table.
 */
export const SessionCode = {
  /** Closed on purpose by the side that used it. */
  DONE: 0,
  /** The node stops. */
  SHUTDOWN: 1,
  /** The peer did not answer the handshake in time. Never sent. */
  HANDSHAKE_TIMEOUT: 2,
  /** Data was outstanding and nothing was acknowledged for too long. Never sent. */
  TIMEOUT: 3,
  /** Nothing was received for long and nothing was waiting. Never sent. */
  IDLE: 4,
  /** A newer session with the same peer took its place. Never sent. */
  REPLACED: 5,
  /** Ended to make room for another peer's session. */
  EVICTED: 6,
  /** A frame does not have its layout, or its type is unknown. */
  MALFORMED: 7,
  /** A packet was acknowledged that was never sent. */
  ACK_INVALID: 8,
  /** Stream data beyond the window. */
  FLOW_CONTROL: 9,
  /** Stream data beyond the stream's end, or a second end elsewhere. */
  FINAL_SIZE: 10,
  /** All packet numbers are used. */
  EXHAUSTED: 11,
  /** No way to the peer was found. Never sent. */
  UNREACHABLE: 12,
  /** First code that is the application's. */
  APPLICATION: 256,
} as const;

/** What each code says to a person. */
export const SESSION_CODE_TEXT: Readonly<Record<number, string>> = {
  [SessionCode.DONE]: "closed on purpose",
  [SessionCode.SHUTDOWN]: "the node stops",
  [SessionCode.HANDSHAKE_TIMEOUT]: "the peer did not answer the handshake in time",
  [SessionCode.TIMEOUT]: "the peer acknowledged nothing for too long",
  [SessionCode.IDLE]: "the session was not used for long",
  [SessionCode.REPLACED]: "a newer session with the same peer took its place",
  [SessionCode.EVICTED]: "ended to make room for another peer",
  [SessionCode.MALFORMED]: "a session frame does not have its layout",
  [SessionCode.ACK_INVALID]: "a packet was acknowledged that was never sent",
  [SessionCode.FLOW_CONTROL]: "stream data beyond the window",
  [SessionCode.FINAL_SIZE]: "stream data beyond the end of the stream",
  [SessionCode.EXHAUSTED]: "all packet numbers are used",
  [SessionCode.UNREACHABLE]: "no way to the peer was found",
};

/** Where a session stands. */
export const SessionState = {
  /** Our handshake goes on. */
  CONNECTING: 0,
  ESTABLISHED: 1,
  /** Ended; late packets are still answered with CLOSE. */
  CLOSING: 2,
  ENDED: 3,
} as const;
export type SessionState = (typeof SessionState)[keyof typeof SessionState];

/**
 * Why a packet went no further: `PacketVerdict.drop` and the index of `EndpointStats.drops`. `NONE` is a packet that was accepted.
 */
export const PacketDrop = {
  NONE: 0,
  /** No packet type, or a length outside its limits. */
  MALFORMED: 1,
  /** The receiver index belongs to nothing here. */
  NO_SESSION: 2,
  /** Handshakes from this ingress passed their rate. */
  HANDSHAKE_RATE: 3,
  /** A handshake message does not authenticate: forged, damaged, another network, another secret, a point of small order. */
  HANDSHAKE_INVALID: 4,
  /** The Ed25519 key in message 1 is not that of the Noise static key. */
  KEY_MISMATCH: 5,
  /** Message 1 of a session that is established. */
  HANDSHAKE_REPLAYED: 6,
  /** Message 1 of a peer with which our own handshake goes on and wins. */
  HANDSHAKE_CROSSED: 7,
  /** Our own handshake came back. */
  SELF: 8,
  /** No room for another session. */
  SESSIONS_FULL: 9,
  /** The packet does not authenticate. */
  NOT_AUTHENTIC: 10,
  /** The packet number was seen, or is too old to tell. */
  REPLAYED: 11,
  /** The key phase is neither the present, the next, nor one just left. */
  KEY_PHASE: 12,
  /** A half-open session that waited too long for its confirmation. */
  HALF_OPEN_STALE: 13,
} as const;
export type PacketDrop = (typeof PacketDrop)[keyof typeof PacketDrop];

/** The label of a packet drop in metrics, in lower case. */
export const PACKET_DROP_LABEL: readonly string[] = Object.keys(PacketDrop).map((name) => name.toLowerCase());
