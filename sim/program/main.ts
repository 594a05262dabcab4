import { Command } from "commander";
import { ExitCode } from "./exit-codes.js";
import { addFuzz } from "./fuzz-command.js";
import { addMutants } from "./mutants-command.js";
import { addProve } from "./prove-command.js";
import { addRun } from "./run-command.js";
import { addScenarios } from "./scenarios-command.js";

const program = new Command("npm run sim --");
program
  .description("Pinyon's simulator: real nodes in virtual time, everything from a seed")
  .addHelpText(
    "after",
    `\nExit codes: ${ExitCode.OK} well; ${ExitCode.MISSED} a target missed; ${ExitCode.USAGE} usage; ${ExitCode.CORRECTNESS} a rule broken; ${ExitCode.LIVENESS} not whole again; ${ExitCode.CRASH} crash.`,
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE));
addRun(program);
addScenarios(program);
addFuzz(program);
addMutants(program);
addProve(program);
await program.parseAsync();
