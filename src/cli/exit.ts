import { ErrorCode, pinyonCode } from "../daemon/errors.js";
import { HomeserverCode } from "../homeserver/errors.js";

/** What the exit code of `pinyon` says; docs/running-a-node.md has the same table. */
export const ExitCode = {
  OK: 0,
  /** The command ran, and what it was asked for did not come about: no answer, no such peer. */
  FAILED: 1,
  /** Something must be changed first: the command line, the config file, the state folder, a port in use. */
  USAGE: 2,
  /** No daemon runs on the state folder. */
  NOT_RUNNING: 3,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Errors that a person mends before trying again. */
const TO_MEND: ReadonlySet<string> = new Set([
  ErrorCode.CONFIG,
  ErrorCode.STATE,
  ErrorCode.KEY,
  ErrorCode.LOCKED,
  ErrorCode.LISTEN,
  ErrorCode.EXISTS,
  ErrorCode.REQUEST,
  ErrorCode.TARGET,
  ErrorCode.LIST,
  HomeserverCode.FILE,
  HomeserverCode.NAME,
  HomeserverCode.KEY,
  HomeserverCode.LISTENER,
  HomeserverCode.WORKERS,
  HomeserverCode.CONNECTED,
  HomeserverCode.NOT_CONNECTED,
  HomeserverCode.EDITED,
  HomeserverCode.FOLDER,
  "PINYON_BINDING",
  "PINYON_PEER_URI",
  "PINYON_SELF",
  "PINYON_CRYPTO_UNKNOWN",
  "PINYON_CRYPTO_UNAVAILABLE",
]);

export function exitCodeOf(error: unknown): ExitCode {
  const code = pinyonCode(error);
  if (code === ErrorCode.NOT_RUNNING) return ExitCode.NOT_RUNNING;
  return code !== undefined && TO_MEND.has(code) ? ExitCode.USAGE : ExitCode.FAILED;
}
