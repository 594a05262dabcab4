import { ErrorCode, pinyonCode } from "../daemon/errors.js";

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

const FAILED: ReadonlySet<string> = new Set([
  ErrorCode.UNREACHABLE,
  ErrorCode.PEER,
  ErrorCode.BUSY,
  ErrorCode.INTERNAL,
]);

export function exitCodeOf(error: unknown): ExitCode {
  const code = pinyonCode(error);
  if (code === undefined || FAILED.has(code)) return ExitCode.FAILED;
  return code === ErrorCode.NOT_RUNNING ? ExitCode.NOT_RUNNING : ExitCode.USAGE;
}
