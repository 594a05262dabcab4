import type { HomeserverInfo } from "../daemon/control-protocol.js";
import { printable } from "../daemon/logs.js";

/** Writes lines for a person to stdout. What came from other nodes is stripped of what could steer the terminal. */
export function print(...lines: string[]): void {
  for (const line of lines) process.stdout.write(`${printable(line)}\n`);
}

/** Writes a result for a program: one JSON document. */
export function printJson(result: unknown): void {
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
}

/** Rows in columns as wide as their widest cell, two spaces apart, each line indented by two. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
}

/** A node's homeserver, and where the two meet. */
export function homeserverText({ name, url, listen }: HomeserverInfo): string {
  return `${name === null ? "" : `${name} at `}${url}, its federation taken at ${listen}`;
}

/** A round-trip time: `0.42 ms`, `12.3 ms`, `1,234 ms`. */
export function rtt(rttMs: number): string {
  if (rttMs < 10) return `${rttMs.toFixed(2)} ms`;
  return `${rttMs < 100 ? rttMs.toFixed(1) : Math.round(rttMs).toLocaleString("en")} ms`;
}

/** How long something lasts, in its two largest units: `5 s`, `3 min 20 s`, `2 h 5 min`, `4 d 1 h`. */
export function duration(durationMs: number): string {
  const seconds = Math.floor(durationMs / 1_000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return "0 s";
  const shown = parts.slice(first, first + 2).filter(([amount]) => amount > 0);
  return shown.map(([amount, unit]) => `${amount} ${unit}`).join(" ");
}

/** An amount of bytes in units of a thousand: `512 B`, `1.4 kB`, `20 GB`. */
export function bytes(sizeBytes: number): string {
  const unit = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, sizeBytes)) / 3)));
  const amount = sizeBytes / 1_000 ** unit;
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : Number(amount.toPrecision(2))} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

/** The first characters of a name, enough to tell nodes apart in a table. */
export function shortName(name: string): string {
  return `${name.slice(0, 10)}…`;
}

/** `1 link`, `2 links`. */
export function count(amount: number, noun: string): string {
  return `${amount.toLocaleString("en")} ${noun}${amount === 1 ? "" : "s"}`;
}
