import { Command } from "commander";
import { VERSION } from "../daemon/version.js";
import { initCommand } from "./init.js";
import { lookupCommand } from "./lookup.js";
import { peerCommand } from "./peer.js";
import { pingCommand } from "./ping.js";
import { runCommand } from "./run.js";
import { statusCommand } from "./status.js";
import { traceCommand } from "./trace.js";

/** The command line: one binary, a file per command. */
export function program(): Command {
  const root = new Command("pinyon")
    .description("A node of the Pinyon overlay: its address is its key, its neighbours are its network.")
    .version(VERSION)
    .option("--config <file>", "config file (default: pinyon.yaml in the state folder, where there is one)")
    .option("--state <folder>", "state folder, one per node (default: ~/.local/state/pinyon)")
    .helpCommand(false)
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 failed, 2 usage, config or state must be changed, 3 no node runs here.",
    );
  for (const command of [
    initCommand(),
    runCommand(),
    statusCommand(),
    peerCommand(),
    pingCommand(),
    traceCommand(),
    lookupCommand(),
  ]) {
    root.addCommand(command);
  }
  for (const command of withSubcommands(root)) {
    command.exitOverride().showHelpAfterError("Run it with --help to see what it takes.");
  }
  return root;
}

/** Settings of a command do not pass on to commands added to it. */
function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}
