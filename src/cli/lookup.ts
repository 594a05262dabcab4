import { Command } from "commander";
import type { LookupResult } from "../daemon/control-protocol.js";
import { print, printJson, rtt, table } from "./output.js";
import { withDaemon } from "./settings.js";

export function lookupCommand(): Command {
  return new Command("lookup")
    .description("find a node: its place in each tree and the ports that lead to it")
    .argument("<node>", "its name or key")
    .option("--json", "as JSON, times in milliseconds")
    .action(async (target: string, options: { json?: true }, command: Command) => {
      const found = await withDaemon(command, (client) => client.request({ verb: "lookup", target }));
      if (options.json) printJson(found);
      else print(...lookupLines(found));
    });
}

function lookupLines(found: LookupResult): string[] {
  return [
    found.name,
    ...table([
      ["key", found.key],
      ["found in", rtt(found.rttMs)],
      ["route", found.route.length === 0 ? "none: it is this node" : `ports ${found.route.join(" ")}`],
      ...found.trees.map((place, tree) => [`tree ${tree}`, placeText(place)]),
    ]),
  ];
}

function placeText(place: LookupResult["trees"][number]): string {
  if (place === null) return "no place";
  const { rootId, coordinates } = place;
  return `root ${rootId}…, ${coordinates.length === 0 ? "it is the root" : `ports ${coordinates.join(" ")}`}`;
}
