import { configKeys } from "./config.js";

const LINE_CHARS_MAX = 100;
const HEAD = [
  "Config of a Pinyon node. Every key is optional: take the # before one away to set it, then start the",
  "node again. docs/config.md has the same in a table.",
];

/** The text of a new config file: every key as a comment, with what it does and an example. It sets nothing. */
export function configTemplate(): string {
  const lines = comment(HEAD.join(" "), "");
  let section = "";
  for (const { key, description, example } of configKeys()) {
    const [head, tail] = key.split(".");
    lines.push("");
    if (tail !== undefined && head !== section) lines.push(`${head}:`);
    section = head ?? "";
    const indent = tail === undefined ? "" : "  ";
    lines.push(...comment(description, indent), ...setting(tail ?? key, example).map((line) => `${indent}#${line}`));
  }
  return `${lines.join("\n")}\n`;
}

function setting(key: string, example: unknown): string[] {
  if (Array.isArray(example)) return [`${key}:`, ...example.map((item) => `  - ${JSON.stringify(item)}`)];
  return [`${key}: ${typeof example === "string" ? JSON.stringify(example) : String(example)}`];
}

/** A text as comment lines of at most `LINE_CHARS_MAX`. */
function comment(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = `${indent}#`;
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > LINE_CHARS_MAX) {
      lines.push(line);
      line = `${indent}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
