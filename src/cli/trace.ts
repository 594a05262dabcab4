import { Command } from "commander";
import type { HopInfo, TraceResult } from "../daemon/control-protocol.js";
import { count, print, printJson, rtt, table } from "./output.js";
import { withDaemon } from "./settings.js";

export function traceCommand(): Command {
  return new Command("trace")
    .description("show the nodes on the route to a node, and how far each is")
    .argument("<node>", "its name or key")
    .option("--json", "as JSON, times in milliseconds")
    .action(async (target: string, options: { json?: true }, command: Command) => {
      const trace = await withDaemon(command, (client) => client.request({ verb: "trace", target }));
      if (options.json) printJson(trace);
      else print(...traceLines(trace));
    });
}

function traceLines({ name, hops }: TraceResult): string[] {
  if (hops.length === 0) return [`${name} is this node itself.`];
  return [`route to ${name}, ${count(hops.length, "hop")}:`, ...table(hops.map(hopRow))];
}

function hopRow({ name, rttMs }: HopInfo, index: number): string[] {
  return [`${index + 1}`, name ?? "no answer", rttMs === null ? "" : rtt(rttMs)];
}
