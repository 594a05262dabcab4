import t from "tap";
import { FEDERATION_CODES } from "../../src/federation/errors.js";
import { newFederationStats } from "../../src/federation/stats.js";
import { PacketDrop, SessionCode } from "../../src/session/codes.js";
import { CloseCode, DropReason } from "../../src/wire/codes.js";
import { codeOnly, read, sources } from "./repository.js";

/* What a test of a code asserts is the test's business; that there is one, and that the code is used at all, is checked here. */

const code = (paths: readonly string[]): string => paths.map((path) => codeOnly(read(path))).join("\n");
const tests = code(sources("test").filter((path) => !path.startsWith("test/tidy/")));
const source = code(sources("src").filter((path) => !path.endsWith("/codes.ts")));

/** True where the text names a member of a table, with a dot or taken out of it by a pattern. */
function names(text: string, table: string, member: string): boolean {
  return new RegExp(`\\b${table}\\.${member}\\b|\\{[^{}]*\\b${member}\\b[^{}]*\\}\\s*=\\s*${table}\\b`).test(text);
}

for (const [table, members] of Object.entries({ CloseCode, DropReason, SessionCode, PacketDrop })) {
  t.test(`every ${table} is used, and met by a test`, async (t) => {
    for (const member of Object.keys(members)) {
      if (member === "APPLICATION") continue; // a border between codes, not one of them
      t.ok(names(source, table, member), `${table}.${member} is used`);
      t.ok(names(tests, table, member), `${table}.${member} is met by a test`);
    }
  });
}

t.test("every code and every counter of federation is met by a test of it", async (t) => {
  const tests = sources("test/federation").map(read).join("\n");
  for (const name of [...FEDERATION_CODES, ...Object.keys(newFederationStats())]) {
    t.match(tests, new RegExp(`\\b${name}\\b`), name);
  }
});

t.test("a member is found however it is named, and not in a text", async (t) => {
  t.ok(names("t.equal(code, CloseCode.SELF);", "CloseCode", "SELF"));
  t.ok(names("const { DEAD, SELF } = CloseCode;", "CloseCode", "SELF"));
  t.notOk(names(codeOnly('t.equal(1, 1, "CloseCode.SELF");'), "CloseCode", "SELF"));
  t.notOk(names("DropReason.SELF", "CloseCode", "SELF"));
});
