import { Command } from "commander";

export function runCommand(): Command {
  return new Command("run")
    .description("run the node until SIGTERM or Ctrl-C")
    .option("--init", "make the key and the config file first where there are none")
    .action(async (options: { init?: true }, command: Command) => {
      // What a node needs takes longer to load than the other commands take in all.
      const { runNode } = await import("./run-node.js");
      await runNode(command, options.init === true);
    });
}
