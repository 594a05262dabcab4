import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import t from "tap";
import { BARE_NODE } from "../daemon/bare-node.js";
import { tempFolder } from "../daemon/temp-folder.js";

const [ENV, ...NODE] = BARE_NODE;
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

t.test("npm start compiles a clone, runs a node on it, and the second time just runs it", async (t) => {
  const clone = tempFolder(t);
  for (const name of ["package.json", "tsconfig.json", "src"])
    cpSync(join(ROOT, name), join(clone, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(clone, "node_modules"));
  const state = join(clone, "state");
  mkdirSync(state, { mode: 0o700 });
  const secret = "the-secret-of-the-homeserver";
  const config = {
    listen: ["127.0.0.1:0"],
    homeserver: { url: "http://127.0.0.1:8008", listen: "127.0.0.1:0", secret },
    discovery: { enabled: false },
    metrics: { listen: "127.0.0.1:0" },
  };
  writeFileSync(join(state, "pinyon.yaml"), JSON.stringify(config));

  const first = await start(clone, state);
  t.match(
    first,
    /^compiling …\n.*Pinyon \d.* runs a node of the network "pinyon"\.\n {2}name +[a-z2-7]{52}\.pinyon\.alt\n/s,
  );
  t.match(first, /\n {2}homeserver +http:\/\/127\.0\.0\.1:8008, its federation taken at 127\.0\.0\.1:/);
  t.match(first, /npx pinyon peer add 'wss:.*npx pinyon --state \S+ status/s);
  t.match(first, /the config file holds a secret: .*open to other users.*chmod 600/s, "it warns");
  t.notMatch(first, secret);
  chmodSync(join(state, "pinyon.yaml"), 0o600);
  const second = await start(clone, state);
  t.notMatch(second, /compiling|holds a secret/);
  t.equal(nameIn(second), nameIn(first));
});

t.test("npm start installs again where npm was stopped before its end, and says so where that fails", async (t) => {
  const clone = tempFolder(t);
  for (const name of ["package.json", "tsconfig.json", "src"])
    cpSync(join(ROOT, name), join(clone, name), { recursive: true });
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const name of Object.keys({ ...dependencies, ...devDependencies }))
    mkdirSync(join(clone, "node_modules", name), { recursive: true });
  mkdirSync(join(clone, "bin"));
  writeFileSync(join(clone, "bin/npm"), "#!/bin/sh\necho npm was asked for $1; exit 1\n", { mode: 0o755 });
  const env = { ...process.env, PATH: `${join(clone, "bin")}:${process.env["PATH"]}` };
  const child = spawn(ENV, [...NODE, "src/cli/start.mjs"], { cwd: clone, env });
  const said = await text(child.stderr);
  t.equal(
    said,
    "installing packages …\nnpm was asked for ci\npinyon: installing packages failed: see the lines above\n",
  );
});

function nameIn(text: string): string | undefined {
  return /[a-z2-7]{52}\.pinyon\.alt/.exec(text)?.[0];
}

/** What `npm start` says until its node stops again. */
async function start(clone: string, state: string): Promise<string> {
  const child = spawn(ENV, [...NODE, "src/cli/start.mjs", "--state", state], { cwd: clone });
  const exit = once(child, "exit");
  let said = "";
  const hear = (text: Buffer) => {
    said += text.toString();
    // Twice, as a terminal and npm do.
    if (text.includes("Ctrl-C stops the node.")) for (let times = 0; times < 2; times++) child.kill("SIGINT");
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  const [code] = await exit;
  if (code !== 0) throw new Error(`exit code ${code}: ${said}`);
  return said;
}
