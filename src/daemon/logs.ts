import { type Logger, pino } from "pino";

/** What the daemon logs with: `log.info({ peer }, "link up")`. */
export type Log = Pick<Logger, "debug" | "info" | "warn" | "error" | "fatal">;
export type LogLevel = "error" | "warn" | "info" | "debug" | "silent";

const LABELS: Readonly<Record<number, string>> = { 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal" };
/** What pino adds to each line and a person does not need. */
const HIDDEN: ReadonlySet<string> = new Set(["level", "time", "msg", "err"]);

/** Writes JSON lines, or lines for people to a terminal. Keys, names and addresses are logged, secrets never. */
export function createLog(level: LogLevel, terminal: boolean, write: (line: string) => void): Log {
  return pino({ level, base: null }, { write: terminal ? (line: string) => write(humanLine(line)) : write });
}

/** `14:03:07 warn  link down  peer=abcd… code=15`: one of pino's JSON lines for a terminal. */
export function humanLine(json: string): string {
  const line = JSON.parse(json) as Record<string, unknown>;
  const time = new Date(line["time"] as number).toTimeString().slice(0, 8);
  const label = (LABELS[line["level"] as number] ?? "").padEnd(5);
  const fields = Object.entries(line)
    .filter(([name]) => !HIDDEN.has(name))
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const text = printable(`${time} ${label} ${String(line["msg"])}${fields.length > 0 ? " " : ""}${fields.join("")}`);
  const stack = (line["err"] as { stack?: string } | undefined)?.stack;
  return stack === undefined ? `${text}\n` : `${text}\n${stack}\n`;
}

/** A text from elsewhere without the control characters that could steer a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "\u{fffd}");
}
