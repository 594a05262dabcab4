import { readFileSync, writeFileSync } from "node:fs";
import type { Test } from "tap";

const DOCS = new URL("../../../docs/", import.meta.url);
const BEGIN = "<!-- made from the code by `npm run docs` -->";
const END = "<!-- end -->";

export function readPage(name: string): string {
  return readFileSync(new URL(name, DOCS), "utf8");
}

/** Holds a file of docs/ equal to what the code says; `npm run docs`, which is `tap --snapshot`, writes it. */
export function heldFile(t: Test, name: string, content: string): void {
  if (t.writeSnapshot) writeFileSync(new URL(name, DOCS), content);
  t.equal(readPage(name), content, `docs/${name} is what the code says`);
}

/** The same for a table that stands between two marks under a heading of a page. */
export function heldTable(
  t: Test,
  name: string,
  heading: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const cells = (row: readonly string[]) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const lines = [cells(head), cells(head.map(() => "---")), ...rows.map(cells)];
  const page = readPage(name);
  const begin = page.indexOf(BEGIN, page.indexOf(`\n${heading}\n`)) + BEGIN.length;
  const end = page.indexOf(END, begin);
  heldFile(t, name, `${page.slice(0, begin)}\n${lines.join("\n")}\n${page.slice(end)}`);
}
