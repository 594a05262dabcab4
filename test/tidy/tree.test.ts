import { existsSync } from "node:fs";
import t from "tap";
import { codeOnly, filesIn, pages, ROOT, read, sources, topLevel, withoutComments } from "./repository.js";

/** What stands at the top, and nothing else. */
const TOP = [
  ".ci",
  ".gitignore",
  ".taprc",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "LICENSE",
  "PROTOCOL.md",
  "README.md",
  "SECURITY.md",
  "biome.json",
  "deploy",
  "docs",
  "package-lock.json",
  "package.json",
  "sim",
  "src",
  "test",
  "tsconfig.json",
  "tsconfig.pure.json",
];
const SRC = [
  "wire",
  "crypto",
  "router",
  "session",
  "node",
  "link",
  "driver",
  "federation",
  "daemon",
  "homeserver",
  "cli",
];

t.test("nothing stands at the top or in src that has no place there", async (t) => {
  t.same(
    topLevel().filter((name) => !TOP.includes(name)),
    [],
  );
  const strays = filesIn("src").filter((path) => !SRC.includes(path.split("/")[1]!) || path.split("/").length < 3);
  t.same(strays, []);
});

t.test("files are named in kebab-case", async (t) => {
  const files = ["src", "sim", "test", "deploy", "docs"].flatMap((folder) => filesIn(folder));
  for (const path of files) {
    // Published vectors keep their names.
    if (path.startsWith("test/vectors/")) continue;
    const name = path.split("/").at(-1)!;
    if (name === "README.md") continue;
    const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|d))?(?:\.[a-z0-9]+)?$/.test(name);
    if (!kebab) t.fail(path);
  }
  t.pass(`${files.length} files`);
});

t.test("no module exports a default, and none only passes on what others export", async (t) => {
  for (const path of sources("src", "sim", "test")) {
    // Declarations of a package that has a default say so.
    if (path.endsWith(".d.ts")) continue;
    const code = codeOnly(read(path));
    if (/\bexport\s+default\b|\bas\s+default\b/.test(code)) t.fail(`${path} exports a default`);
    if (isBarrel(read(path))) t.fail(`${path} is a barrel: import the file that has it`);
  }
  t.ok(isBarrel('// all\nexport * from "./a.js";\nexport { b } from "./b.js";\n'));
  t.notOk(isBarrel('export { b } from "./b.js";\nexport const a = 1;\n'));
});

function isBarrel(source: string): boolean {
  const rest = withoutComments(source).replace(/\b(?:export|import)\b[^;]*?\bfrom\s*"[^"]*";?/g, "");
  return /\bexport\b/.test(source) && rest.trim() === "";
}

t.test("every relative link in a page leads to a file, and every anchor to a heading", async (t) => {
  let links = 0;
  for (const page of pages()) {
    const text = read(page).replace(/```[\s\S]*?```|`[^`\n]*`/g, "");
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      links++;
      const [path, anchor] = target!.split("#") as [string, string?];
      const file = path === "" ? page : new URL(path, `file:///${page}`).pathname.slice(1);
      if (!existsSync(ROOT + file)) t.fail(`${page}: ${target} leads nowhere`);
      else if (anchor !== undefined && !headings(read(file)).includes(anchor)) t.fail(`${page}: no heading ${target}`);
    }
  }
  t.pass(`${links} links`);
});

/** The anchors of a page, as GitHub makes them. */
function headings(page: string): string[] {
  const lines = page.replace(/```[\s\S]*?```/g, "").matchAll(/^#+ (.+)$/gm);
  return [...lines].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
