import { Command } from "commander";
import type { LinkInfo, StatusResult, TreeInfo } from "../daemon/control-protocol.js";
import { count, duration, homeserverText, print, printJson, rtt, shortName, table } from "./output.js";
import { withDaemon } from "./settings.js";

export function statusCommand(): Command {
  return new Command("status")
    .description("show what the running node is and sees")
    .option("--json", "as JSON, times in milliseconds")
    .action(async (options: { json?: true }, command: Command) => {
      const status = await withDaemon(command, (client) => client.request({ verb: "status" }));
      if (options.json) printJson(status);
      else print(...statusLines(status));
    });
}

export function statusLines(status: StatusResult): string[] {
  const { links, trees } = status;
  return [
    status.name,
    ...table([
      ["key", status.key],
      ["network", status.network + (status.leaf ? ", leaf mode" : "")],
      ["listens on", status.listen.join(", ") + (status.localOnly ? " (local addresses only)" : "")],
      ...(status.homeserver === null ? [] : [["homeserver", homeserverText(status.homeserver)]]),
      ["metrics", `http://${status.metrics}/metrics`],
      ["running", `${duration(status.uptimeMs)}, pinyon ${status.version}, ${status.crypto} crypto, pid ${status.pid}`],
      ["LAN", status.discovery],
      ["sessions", `${status.sessions}`],
    ]),
    "",
    `${count(links.length, "link")}${links.length === 0 ? "" : ":"}`,
    ...(links.length === 0 ? [] : table([["NODE", "PORT", "ADDRESS", "WAY", "RTT", "UP"], ...links.map(linkRow)])),
    "",
    "trees:",
    ...table([["TREE", "ROOT", "DEPTH", "PARENT", "KEYS BELOW"], ...trees.map(treeRow)]),
    ...(status.warnings.length === 0 ? [] : ["", "to look at:", ...status.warnings.map((text) => `  ${text}`)]),
  ];
}

function linkRow(link: LinkInfo): string[] {
  const way = link.dialled ? "out" : "in";
  return [shortName(link.name), `${link.port}`, link.remote, way, rtt(link.rttMs), duration(link.upMs)];
}

function treeRow(tree: TreeInfo, number: number): string[] {
  if (tree.root === null) return [`${number}`, "none yet"];
  const parent = tree.parent === null ? "this node is the root" : shortName(tree.parent);
  return [`${number}`, shortName(tree.root), `${tree.depth}`, parent, `${tree.tableEntries}`];
}
