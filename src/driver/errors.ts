/** Errors that the driver gives its callers: a stable code, and what it says to a person. PROTOCOL.md has the same table. */
export const ERROR_TEXT = {
  PINYON_SELF: "the key is this node's own",
  PINYON_BUSY: "the node has no room for another session or request",
  PINYON_UNREACHABLE: "no way to the node was found: it is offline, or no links lead to it",
  PINYON_HANDSHAKE_TIMEOUT: "a way to the node was found, but the node did not answer the session's handshake",
  PINYON_SESSION_ENDED: "the session ended",
  PINYON_STREAM_RESET: "the stream was given up before its end",
  PINYON_BODY_BROKEN: "a request or an answer was given up before its end",
  PINYON_NAME_RECORD: "the other node did not begin its stream with its server name",
  PINYON_NAME_VERSION: "the other node speaks another version above the session: update the older node",
  PINYON_NAME_MISMATCH: "the other node stated a server name that is not its own",
  PINYON_STOPPED: "this node has stopped",
} as const;
export type ErrorCode = keyof typeof ERROR_TEXT;

export class OverlayError extends Error {
  override readonly name = "OverlayError";

  /** `detail` says what was seen and expected in this case. */
  constructor(
    readonly code: ErrorCode,
    detail?: string,
  ) {
    super(detail === undefined ? ERROR_TEXT[code] : `${ERROR_TEXT[code]} (${detail})`);
  }
}
