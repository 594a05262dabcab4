import { statSync } from "node:fs";
import t from "tap";
import { pages, ROOT, read } from "./repository.js";

const scripts = Object.keys((JSON.parse(read("package.json")) as { scripts: Record<string, string> }).scripts);
/** What npm runs without `run`. */
const LIFECYCLE = ["test", "start"];

t.test("the pages name no command that package.json does not have", async (t) => {
  for (const page of pages()) {
    const text = read(page);
    for (const [, name] of text.matchAll(/\bnpm run ([a-z][\w:-]*)/g)) {
      t.ok(scripts.includes(name!), `${page}: npm run ${name}`);
    }
    for (const name of LIFECYCLE) {
      if (new RegExp(`\\bnpm ${name}\\b`).test(text)) t.ok(scripts.includes(name), `${page}: npm ${name}`);
    }
  }
});

t.test("continuous integration runs the test command that the README names", async (t) => {
  t.match(read("README.md"), /\bnpm test\b/);
  const script = read(".ci/run");
  t.match(script, /^npm test\b/m);
  t.match(script, /^#!.*\bbash\n/);
  t.ok((statSync(`${ROOT}.ci/run`).mode & 0o111) !== 0, ".ci/run is executable");
});
