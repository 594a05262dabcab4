/*
 * `npm start`: a node out of a fresh clone. Installs the packages and compiles what is missing or older than its source,
 * then runs `pinyon run --init` with the arguments given. It is plain JavaScript, and uses Node's own modules alone,
 * because nothing else is there before it has run.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MAIN = join(ROOT, "build/src/cli/main.js");
const COMPILER = join(ROOT, "node_modules/typescript/bin/tsc");
const OLDEST_NODE = [20, 19];

/** @param {string} text */
function fail(text) {
  process.stderr.write(`pinyon: ${text}\n`);
  process.exit(2);
}

/**
 * Runs a command in the project's folder; its output goes to stderr, where it disturbs nobody who reads ours.
 * @param {string} what
 * @param {string} command
 * @param {string[]} args
 */
function step(what, command, args) {
  process.stderr.write(`${what} …\n`);
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ["ignore", 2, 2] });
  if (status !== 0) fail(`${what} failed${error ? `: ${error.message}` : ""}: see the lines above`);
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

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  fail(`Node ${process.versions.node} is too old: expected ${OLDEST_NODE.join(".")} or newer`);
}
if (!existsSync(COMPILER)) step("installing packages", "npm", ["ci", "--no-audit", "--no-fund"]);
const builtMs = existsSync(MAIN) ? statSync(join(ROOT, "build/.tsbuildinfo")).mtimeMs : 0;
if (builtMs < newestMs(join(ROOT, "src"))) step("compiling", process.execPath, [COMPILER]);

process.argv.splice(2, 0, "run", "--init");
await import(pathToFileURL(MAIN).href);
