import { Command } from "commander";
import type { HopInfo, TraceResult } from "../daemon/control-protocol.js";
import { ErrorCode, PinyonError } from "../daemon/errors.js";
import { count, print, printJson, rtt, table } from "./output.js";
import { withDaemon } from "./settings.js";
import { whyLines } from "./why.js";

interface TraceOptions {
  readonly why?: true;
  readonly json?: true;
}

export function traceCommand(): Command {
  return new Command("trace")
    .description("show the nodes on the route to a node, and how far each is")
    .argument("<node>", "its name or key")
    .option("--why", "say what was known, what was tried and why this route is used, as far as this node can know")
    .option("--json", "as JSON, times in milliseconds")
    .action(async (target: string, options: TraceOptions, command: Command) => {
      if (options.why) return explainTrace(target, options, command);
      const trace = await withDaemon(command, (client) => client.request({ verb: "trace", target }));
      if (options.json) printJson(trace);
      else print(...traceLines(trace));
    });
}

/** What is known is shown also where the node does not answer: that is when it is asked for. */
async function explainTrace(target: string, { json }: TraceOptions, command: Command): Promise<void> {
  const result = await withDaemon(command, (client) => client.request({ verb: "explain", target }));
  const { trace, failure } = result;
  if (json) printJson(result);
  else print(...(trace === null ? [] : traceLines(trace)), ...whyLines(result));
  if (failure !== null) throw new PinyonError(ErrorCode.UNREACHABLE, failure);
}

function traceLines({ name, hops }: TraceResult): string[] {
  if (hops.length === 0) return [`${name} is this node itself.`];
  return [`route to ${name}, ${count(hops.length, "hop")}:`, ...table(hops.map(hopRow))];
}

function hopRow({ name, rttMs }: HopInfo, index: number): string[] {
  return [`${index + 1}`, name ?? "no answer", rttMs === null ? "" : rtt(rttMs)];
}
