import { readdirSync, readFileSync } from "node:fs";
import t from "tap";
import { ExitCode } from "../../src/cli/exit.js";
import { configJsonSchema, configKeys, defaultConfig } from "../../src/daemon/config.js";
import { parseConfig } from "../../src/daemon/config-file.js";
import { configTemplate } from "../../src/daemon/config-template.js";
import { ERROR_TEXT } from "../../src/daemon/errors.js";
import { ERROR_TEXT as OVERLAY_TEXT } from "../../src/driver/errors.js";
import { FEDERATION_TEXT } from "../../src/federation/errors.js";
import { ERROR_TEXT as HOMESERVER_TEXT } from "../../src/homeserver/errors.js";
import { heldFile, heldTable, readPage } from "./held.js";

const SOURCES = new URL("../../../src/", import.meta.url);
/** An environment variable, and the beginning of every code. */
const NO_CODES: ReadonlySet<string> = new Set(["PINYON_CRYPTO", "PINYON_"]);

t.test("docs/config-schema.json is the schema of the config file", async (t) => {
  heldFile(t, "config-schema.json", `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
});

t.test("docs/config.md has every key with type, default and meaning", async (t) => {
  const rows = configKeys().map(({ key, type, default: value, description }) => {
    return [`\`${key}\``, type, value === "unset" ? value : `\`${value}\``, description];
  });
  heldTable(t, "config.md", "## Keys", ["key", "type", "default", "meaning"], rows);
  for (const { key, description } of configKeys()) t.ok(description, `${key} is described`);
});

t.test("the guide has every error code and exit code", async (t) => {
  const texts: Readonly<Record<string, string>> = {
    ...FEDERATION_TEXT,
    ...OVERLAY_TEXT,
    ...HOMESERVER_TEXT,
    ...ERROR_TEXT,
  };
  const codes = Object.keys(texts).sort();
  const errors = codes.map((code) => [`\`${code}\``, texts[code]!]);
  heldTable(t, "running-a-node.md", "## Error codes", ["code", "what it means"], errors);
  for (const file of readdirSync(SOURCES, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts")) continue;
    for (const [, code] of readFileSync(new URL(file, SOURCES), "utf8").matchAll(/"(PINYON_[A-Z_]+)"/g)) {
      t.ok(NO_CODES.has(code!) || codes.includes(code!), `${code} of ${file} is in the table`);
    }
  }
  const page = readPage("running-a-node.md");
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
