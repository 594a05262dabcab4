import { Command } from "commander";
import type { GatewayStatusResult } from "../daemon/control-protocol.js";
import { accountLines, listCommand, quotaText, reportCommand } from "./operator.js";
import { count, print, printJson, table } from "./output.js";
import { withDaemon } from "./settings.js";

export function gatewayCommand(): Command {
  return new Command("gateway")
    .description("see and say to which nodes this one brings classic servers")
    .addCommand(
      new Command("status")
        .description("show which nodes it serves, who comes, and what they used")
        .option("--json", "as JSON")
        .action(async (options: { json?: true }, command: Command) => {
          const status = await withDaemon(command, (client) => client.request({ verb: "gateway-status" }));
          if (options.json) printJson(status);
          else print(...statusLines(status));
        }),
    )
    .addCommand(listCommand("gateway", "allow", "serve a node"))
    .addCommand(listCommand("gateway", "deny", "serve a node no more, and cut what is open"))
    .addCommand(reportCommand("gateway"));
}

function statusLines(status: GatewayStatusResult): string[] {
  const { domain, listen, fronts, open, quota, sourceQuota, nodes, sources } = status;
  return [
    ...table([
      ["domain", domain],
      ["listens on", listen.join(", ")],
      ["fronts", fronts.join(", ") || "none"],
      ["unknown nodes", open === 0 ? "not served" : `may use as much as ${count(open, "other")} together`],
      ["each node may use", quotaText(quota)],
      ["each source", quotaText(sourceQuota)],
      ["nodes", count(status.count, "node")],
    ]),
    ...accountLines("NODE", nodes),
    ...accountLines("SOURCE", sources),
  ];
}
