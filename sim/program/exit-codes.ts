/** How the program ends: told apart, so that a script knows what a failure means. */
export const ExitCode = {
  OK: 0,
  /** A figure missed its target. */
  MISSED: 1,
  /** The command line or a file is wrong. */
  USAGE: 2,
  /** A rule did not hold while things failed. */
  CORRECTNESS: 10,
  /** What must be whole again once nothing fails was not. */
  LIVENESS: 11,
  /** The code under test threw. */
  CRASH: 12,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The code for the checkers that complained. */
export function exitCodeOf(failed: readonly string[], liveness: readonly string[]): ExitCode {
  if (failed.length === 0) return ExitCode.OK;
  if (failed.includes("crash")) return ExitCode.CRASH;
  return failed.every((name) => liveness.includes(name)) ? ExitCode.LIVENESS : ExitCode.CORRECTNESS;
}
