/**
 * The codes of errors that a person meets. They are stable: scripts and the control protocol rely on them, and
 * docs/running-a-node.md has the same table, held equal by a test.
 */
export const ErrorCode = {
  /** The config file cannot be read or has faults. */
  CONFIG: "PINYON_CONFIG",
  /** The state folder cannot be used. */
  STATE: "PINYON_STATE",
  /** The key file is missing, damaged or open to others. */
  KEY: "PINYON_KEY",
  /** Another daemon runs on this state folder. */
  LOCKED: "PINYON_LOCKED",
  /** An address cannot be listened on. */
  LISTEN: "PINYON_LISTEN",
  /** `init` found what it would have made. */
  EXISTS: "PINYON_EXISTS",
  /** No daemon runs on this state folder. */
  NOT_RUNNING: "PINYON_NOT_RUNNING",
  /** A control request does not have its form. */
  REQUEST: "PINYON_REQUEST",
  /** A text that should be a node's name or key is neither. */
  TARGET: "PINYON_TARGET",
  /** A peer to add is there already or not a peer URI; one to remove is not there. */
  PEER: "PINYON_PEER",
  /** A node or domain cannot be allowed or denied so. */
  LIST: "PINYON_LIST",
  /** A step of `gateway test` failed. */
  GATEWAY_TEST: "PINYON_GATEWAY_TEST",
  /** The node asked for did not answer. */
  UNREACHABLE: "PINYON_UNREACHABLE",
  /** Too many control connections or requests at once. */
  BUSY: "PINYON_BUSY",
  /** A fault of Pinyon itself. */
  INTERNAL: "PINYON_INTERNAL",
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** What each code means, for the documentation: ours, and those of the folders below that have no table of their own. */
export const ERROR_TEXT: Readonly<Record<PinyonCode, string>> & Record<ErrorCode, string> = {
  [ErrorCode.CONFIG]: "the config file cannot be read or has faults, each named with its line and key",
  [ErrorCode.STATE]:
    "the state folder cannot be made, is open to other users, has too long a path or holds what cannot be used",
  [ErrorCode.KEY]: "the key file is missing, damaged or open to other users",
  [ErrorCode.LOCKED]: "another daemon runs on this state folder",
  [ErrorCode.LISTEN]: "an address cannot be listened on, mostly because another program has the port",
  [ErrorCode.EXISTS]: "`init` found a key or a config file, which it never overwrites",
  [ErrorCode.NOT_RUNNING]: "no daemon runs on this state folder",
  [ErrorCode.REQUEST]: "a request to the control socket does not have its form",
  [ErrorCode.TARGET]: "a text that should be a node's name or key is neither",
  [ErrorCode.PEER]: "a peer to add is there already, or one to remove is not",
  [ErrorCode.LIST]:
    "a node or domain cannot be allowed or denied here: the config file says otherwise, there are too many, or the node is no gateway",
  [ErrorCode.GATEWAY_TEST]: "a step of `pinyon gateway test` failed, which it names",
  [ErrorCode.UNREACHABLE]: "the node asked for did not answer",
  [ErrorCode.BUSY]: "the node has no room for another control client, session or request",
  PINYON_PEER_URI: "a text that should be a peer URI is none",
  PINYON_CRYPTO_UNKNOWN: "`PINYON_CRYPTO` names no set of crypto",
  PINYON_CRYPTO_UNAVAILABLE: "`PINYON_CRYPTO` asks for the native set, which cannot be loaded",
  [ErrorCode.INTERNAL]: "a fault of Pinyon itself: please report it with the log",
};

/** Any error code of Pinyon: one of ours, or of a folder below. */
export type PinyonCode = `PINYON_${string}`;

/** An error for a person: its message says what happened, what was expected and what to do next. */
export class PinyonError extends Error {
  override readonly name = "PinyonError";

  constructor(
    readonly code: PinyonCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The system's name of an error (`ENOENT`), or undefined where it has none. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** An error's code where it is meant for people; undefined for a fault of Pinyon itself. */
export function pinyonCode(error: unknown): PinyonCode | undefined {
  const code = systemCode(error);
  return code?.startsWith("PINYON_") ? (code as PinyonCode) : undefined;
}

/** An error's message, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
