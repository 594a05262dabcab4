import { Command, type Option } from "commander";
import { VERSION } from "../daemon/version.js";
import { bindingCommand } from "./binding.js";
import { exitCommand } from "./exit-command.js";
import { gatewayCommand } from "./gateway.js";
import { homeserverCommand } from "./homeserver.js";
import { initCommand } from "./init.js";
import { lookupCommand } from "./lookup.js";
import { peerCommand } from "./peer.js";
import { pingCommand } from "./ping.js";
import { runCommand } from "./run.js";
import { showCommand } from "./show.js";
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
    showCommand(),
    homeserverCommand(),
    exitCommand(),
    gatewayCommand(),
    bindingCommand(),
  ]) {
    root.addCommand(command);
  }
  for (const command of withSubcommands(root)) {
    // An option is of the command that it stands behind: --config is of the program and of `homeserver connect`.
    command.enablePositionalOptions().exitOverride();
    command.showHelpAfterError("Run it with --help to see what it takes.");
    for (const option of root.options) if (command !== root) takeBehind(root, command, option);
  }
  return root;
}

/** An option of the program may stand behind a command as well, unless the command has another use for it. */
function takeBehind(root: Command, command: Command, option: Option): void {
  if (option.long === "--version" || command.options.some(({ long }) => long === option.long)) return;
  command.addOption(option);
  command.on(`option:${option.name()}`, (value: string) => root.setOptionValue(option.attributeName(), value));
}

/** Settings of a command do not pass on to commands added to it. */
function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}
