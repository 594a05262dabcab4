import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { tempFolder } from "../daemon/temp-folder.js";
import { whyNoSynapse } from "./synapse-install.js";

/** What the program called python3 does, and what is said of it. */
const PYTHONS = [
  ["none", undefined, /there is no python3: install it/],
  ["an old one", "echo 3.9.2", /needs Python 3\.10 or newer, and python3 is 3\.9\.2/],
  ["one without the module venv", "echo 3.11.2; exit 1", /apt install python3-venv/],
  ["one that will do", "echo 3.10.0", undefined],
] as const;

for (const [what, script, expected] of PYTHONS) {
  t.test(`with this Python it is said what to do: ${what}`, async (t) => {
    const folder = tempFolder(t);
    if (script !== undefined) writeFileSync(join(folder, "python3"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const { PATH } = process.env;
    t.teardown(() => (process.env["PATH"] = PATH));
    process.env["PATH"] = folder;
    if (expected === undefined) t.equal(whyNoSynapse(), undefined);
    else t.match(whyNoSynapse(), expected);
  });
}
