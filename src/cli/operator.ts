import { Command, InvalidArgumentError } from "commander";
import type { AccountInfo, ReportResult, UseInfo } from "../daemon/control-protocol.js";
import type { Quota } from "../federation/quota.js";
import { bytes, count, duration, print, printJson, table } from "./output.js";
import { withDaemon } from "./settings.js";

/* What `pinyon exit` and `pinyon gateway` have in common. */

type Way = "exit" | "gateway";
interface JsonOption {
  readonly json?: true;
}

const DAY_MS = 86_400_000;

/** `allow` or `deny`. */
export function listCommand(way: Way, change: "allow" | "deny", description: string): Command {
  return new Command(change)
    .description(description)
    .argument(
      way === "exit" ? "<node|domain>" : "<node>",
      way === "exit" ? "a name or key, or a domain" : "its name or key",
    )
    .option("--json", "as JSON")
    .action(async (what: string, options: JsonOption, command: Command) => {
      const result = await withDaemon(command, (client) => client.request({ verb: "list", way, change, what }));
      if (options.json) printJson(result);
      else print(`${change === "allow" ? "Allowed" : "Denied"} ${what}, from now on and after a restart.`);
    });
}

interface ReportOptions extends JsonOption {
  readonly host?: string;
  readonly node?: string;
  readonly since?: number;
  readonly until?: number;
}

export function reportCommand(way: Way): Command {
  return new Command("report")
    .description("say which node used which host when, for whoever complains; what passed is known to nobody here")
    .option("--host <host>", way === "exit" ? "a host, and those below it, or an address" : "the address that came")
    .option("--node <node>", "a node's name or key")
    .option("--since <time>", "as 2026-11-24T10:00Z (default: a day before --until)", time)
    .option("--until <time>", "the same (default: now)", time)
    .option("--json", "as JSON, times in milliseconds")
    .action(async ({ host, node, since, until, json }: ReportOptions, command: Command) => {
      const untilMs = until ?? Date.now();
      const query = { way, host, node, sinceMs: since ?? untilMs - DAY_MS, untilMs };
      const found = await withDaemon(command, (client) => client.request({ verb: "report", ...query }));
      if (json) printJson(found);
      else print(...reportLines(found));
    });
}

/** What each used, a line each. */
export function accountLines(title: string, accounts: readonly AccountInfo[]): string[] {
  if (accounts.length === 0) return [];
  return table([
    [title, "STANDING", "STREAMS", "TODAY", "CONNECTED", "REFUSED"],
    ...accounts.map(({ name, standing, streams, bytesToday, connects, refusals }) => {
      return [name, standing, `${streams}`, bytes(bytesToday), `${connects}`, `${refusals}`];
    }),
  ]);
}

export function quotaText({ streams, connectsPerMinute, bytesPerDay }: Quota): string {
  return `${count(streams, "stream")}, ${connectsPerMinute.toLocaleString("en")} connections a minute, ${bytes(bytesPerDay)} a day`;
}

function reportLines({ count: all, uses }: ReportResult): string[] {
  if (all === 0) return ["No use of that kind is known."];
  const more = all - uses.length;
  return [
    ...(more > 0 ? [`${count(more, "earlier use")} not shown: ask for a shorter time.`] : []),
    ...table([["BEGAN", "FOR", "NODE", "HOST", "ADDRESS", "PORT", "BYTES"], ...uses.map(useRow)]),
  ];
}

function useRow({ node, host, address, port, beganMs, tookMs, sizeBytes, isOpen }: UseInfo): string[] {
  const lasted = `${duration(tookMs)}${isOpen ? ", open" : ""}`;
  return [new Date(beganMs).toISOString(), lasted, node, host, address ?? "", `${port}`, bytes(sizeBytes)];
}

function time(text: string): number {
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs)) throw new InvalidArgumentError("Expected a time like 2026-11-24T10:00Z.");
  return atMs;
}
