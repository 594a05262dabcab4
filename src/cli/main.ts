#!/usr/bin/env node
import { CommanderError } from "commander";
import { messageOf, pinyonCode } from "../daemon/errors.js";
import { ExitCode, exitCodeOf } from "./exit.js";
import { program } from "./program.js";

/** Runs the command line; the exit code says how it went (`exit.ts`). */
async function main(): Promise<void> {
  // Whoever reads our output may stop doing so: `pinyon status | head -1`.
  process.stdout.on("error", () => process.exit());
  try {
    await program().parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      // commander has said what is wrong; help and the version are no failures.
      process.exitCode = error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
      return;
    }
    const text = pinyonCode(error) === undefined && error instanceof Error ? error.stack : messageOf(error);
    process.stderr.write(`pinyon: ${text}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

await main();
