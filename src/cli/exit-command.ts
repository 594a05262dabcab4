import { Command } from "commander";
import { accountLines, listCommand, quotaText, reportCommand } from "./operator.js";
import { count, print, printJson, table } from "./output.js";
import { withDaemon } from "./settings.js";

export function exitCommand(): Command {
  return new Command("exit")
    .description("see and say who may reach classic servers from this node")
    .addCommand(
      new Command("status")
        .description("show whom it lets out, and what they used")
        .option("--json", "as JSON")
        .action(async (options: { json?: true }, command: Command) => {
          const status = await withDaemon(command, (client) => client.request({ verb: "exit-status" }));
          if (options.json) return printJson(status);
          print(
            ...table([
              ["each may use", quotaText(status.quota)],
              ["denied", status.deny.join(", ") || "no domain"],
              ["nodes", count(status.count, "node")],
            ]),
            ...accountLines("NODE", status.nodes),
          );
        }),
    )
    .addCommand(listCommand("exit", "allow", "let a node out, or let others out to a domain again"))
    .addCommand(listCommand("exit", "deny", "let a node out no more, or nobody to a domain, and cut what is open"))
    .addCommand(reportCommand("exit"));
}
