/*
 * What a fresh clone needs before anything of it can run. It is plain JavaScript, and uses Node's own modules alone, because nothing
 * else is there before it has run.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COMPILER = join(ROOT, "node_modules/typescript/bin/tsc");
const OLDEST_NODE = [20, 19];

/**
 * Installs the packages that are missing, and compiles where `program` is missing or older than a source in `folders`. Gives the
 * program's path; ends the process with a sentence where something fails.
 * @param {string} program
 * @param {string[]} folders
 * @returns {Promise<string>}
 */
export async function prepare(program, folders) {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
    fail(`Node ${process.versions.node} is too old: expected ${OLDEST_NODE.join(".")} or newer`);
  }
  if (!hasPackages()) await step("installing packages", "npm", ["ci", "--no-audit", "--no-fund"]);
  const path = join(ROOT, program);
  const builtMs = existsSync(path) ? statSync(join(ROOT, "build/.tsbuildinfo")).mtimeMs : 0;
  const changedMs = Math.max(...folders.map((folder) => newestMs(join(ROOT, folder))));
  if (builtMs < changedMs) await step("compiling", process.execPath, [COMPILER]);
  return path;
}

/** @param {string} text */
function fail(text) {
  process.stderr.write(`pinyon: ${text}\n`);
  process.exit(2);
}

/** Also false where a newer clone needs a package that an older one did not, and where npm was stopped before its end. */
function hasPackages() {
  // npm writes it last.
  if (!existsSync(join(ROOT, "node_modules/.package-lock.json"))) return false;
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const names = Object.keys({ ...dependencies, ...devDependencies });
  return names.every((name) => existsSync(join(ROOT, "node_modules", name)));
}

/**
 * Runs a command in the project's folder; its output goes to stderr, where it disturbs nobody who reads ours. It ends with this process.
 * @param {string} what
 * @param {string} command
 * @param {string[]} args
 */
async function step(what, command, args) {
  process.stderr.write(`${what} …\n`);
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", 2, 2] });
  const end = () => {
    child.kill();
    process.exit(1);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end);
  const [status] = await once(child, "exit").catch((error) => fail(`${what} failed: ${error.message}`));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(signal, end);
  if (status !== 0) fail(`${what} failed: see the lines above`);
}

/**
 * When the newest source below a folder was changed, in ms.
 * @param {string} folder
 * @returns {number}
 */
function newestMs(folder) {
  const times = readdirSync(folder, { withFileTypes: true }).map((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? newestMs(path) : statSync(path).mtimeMs;
  });
  return Math.max(0, ...times);
}
