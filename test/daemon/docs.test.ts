import { readFileSync, writeFileSync } from "node:fs";
import t, { type Test } from "tap";
import { ExitCode } from "../../src/cli/exit.js";
import { configJsonSchema, configKeys, defaultConfig } from "../../src/daemon/config.js";
import { parseConfig } from "../../src/daemon/config-file.js";
import { configTemplate } from "../../src/daemon/config-template.js";
import { ERROR_TEXT } from "../../src/daemon/errors.js";

const DOCS = new URL("../../../docs/", import.meta.url);
const BEGIN = "<!-- made from the code; `npx tap run --snapshot build/test/daemon/docs.test.js` writes it -->";
const END = "<!-- end -->";

/** Holds a file of docs/ equal to what the code says; `tap run --snapshot` writes it. */
function heldFile(t: Test, name: string, content: string): void {
  const file = new URL(name, DOCS);
  if (t.writeSnapshot) writeFileSync(file, content);
  t.equal(readFileSync(file, "utf8"), content, `docs/${name} is what the code says`);
}

/** The same for the part of a page between two marks under a heading. */
function heldPart(t: Test, name: string, heading: string, lines: readonly string[]): void {
  const page = readFileSync(new URL(name, DOCS), "utf8");
  const begin = page.indexOf(BEGIN, page.indexOf(`\n${heading}\n`)) + BEGIN.length;
  const end = page.indexOf(END, begin);
  const part = `\n${lines.join("\n")}\n`;
  heldFile(t, name, page.slice(0, begin) + part + page.slice(end));
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = (row: readonly string[]) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [cells(head), cells(head.map(() => "---")), ...rows.map(cells)];
}

t.test("docs/config.schema.json is the schema of the config file", async (t) => {
  heldFile(t, "config.schema.json", `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
});

t.test("docs/config.md has every key with type, default and meaning", async (t) => {
  const rows = configKeys().map(({ key, type, default: value, description }) => {
    return [`\`${key}\``, type, value === "unset" ? value : `\`${value}\``, description];
  });
  heldPart(t, "config.md", "## Keys", markdownTable(["key", "type", "default", "meaning"], rows));
  for (const { key, description } of configKeys()) t.ok(description, `${key} is described`);
});

t.test("the guide has every error code and exit code", async (t) => {
  const errors = Object.entries(ERROR_TEXT).map(([code, text]) => [`\`${code}\``, text]);
  heldPart(t, "running-a-node.md", "## Error codes", markdownTable(["code", "what it means"], errors));
  const page = readFileSync(new URL("running-a-node.md", DOCS), "utf8");
  for (const code of Object.values(ExitCode)) t.match(page, new RegExp(`^\\| ${code} \\|`, "m"), `exit code ${code}`);
});

t.test("a new config file sets nothing, and every line of it may be set", async (t) => {
  const template = configTemplate();
  t.same(parseConfig(template, "new"), defaultConfig());
  const set = template
    .replaceAll(/^( *)#(?! )/gm, "$1")
    .replaceAll(/^( *)# {2}- /gm, "$1  - ")
    .replaceAll("<64 hex digits>", "ab".repeat(32))
    .replaceAll("<52 letters and digits>", "a".repeat(52));
  const config = parseConfig(set, "new");
  t.equal(config.peers.length, 1);
  t.equal(config.network.id, "home");
  for (const { key } of configKeys()) t.match(template, new RegExp(`^ *#${key.split(".").at(-1)}:`, "m"));
  t.ok(template.split("\n").every((line) => line.length <= 100));
});
