import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { spawnGroup } from "./processes.js";

/** What the tests and the demo run; others may do as well, but this one was seen to. */
export const SYNAPSE_VERSION = "1.163.2";
const OLDEST_PYTHON = [3, 10] as const;

/** Where programs are kept that are got once: `PINYON_CACHE`, or `pinyon` in the user's cache folder. */
export function cacheFolder(): string {
  return process.env["PINYON_CACHE"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "pinyon");
}

/** Why Synapse cannot be had here, in a sentence that says what to do; undefined where it can. */
export function whyNoSynapse(): string | undefined {
  let version: string;
  try {
    const ask = "import sys, platform; print(platform.python_version()); import venv, ensurepip";
    version = execFileSync("python3", ["-c", ask], { stdio: ["ignore", "pipe", "ignore"], encoding: "utf8" });
  } catch (error) {
    const { code, stdout } = error as { code?: string; stdout?: string };
    if (code === "ENOENT") return "Synapse needs Python 3.10 or newer, and there is no python3: install it";
    version = stdout ?? "";
    if (!isTooOld(version)) return "Python lacks the module venv: install it (on Debian: apt install python3-venv)";
  }
  if (isTooOld(version))
    return `Synapse needs Python 3.10 or newer, and python3 is ${version.trim()}: install a newer one`;
  return undefined;
}

function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor < OLDEST_PYTHON[1]);
}

/**
 * The Python that has Synapse, out of PyPI: installed at the first call on a machine, which takes half a minute and 250 MB, and shared by
 * all later ones, also at the same time. `tell` is given what to show meanwhile.
 */
export async function installSynapse(tell: (line: string) => void): Promise<string> {
  const folder = join(cacheFolder(), `synapse-${SYNAPSE_VERSION}`);
  const python = join(folder, "bin", "python");
  if (existsSync(python)) return python;
  const why = whyNoSynapse();
  if (why !== undefined) throw new Error(why);
  mkdirSync(cacheFolder(), { recursive: true });
  const release = await takeLock(`${folder}.lock`, tell);
  try {
    // A folder by that name is whole: it is renamed when all of it is there. Whoever held the lock before may have made it.
    if (!existsSync(python)) await installInto(folder, tell);
  } finally {
    release();
  }
  return python;
}

async function installInto(folder: string, tell: (line: string) => void): Promise<void> {
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  tell(`installing Synapse ${SYNAPSE_VERSION} into ${folder}, once`);
  await run("python3", ["-m", "venv", unfinished], () => {});
  const install = ["-m", "pip", "install", "--disable-pip-version-check", `matrix-synapse==${SYNAPSE_VERSION}`];
  let packageCount = 0;
  await run(join(unfinished, "bin", "python"), install, (line) => {
    if (line.startsWith("Collecting") && ++packageCount % 10 === 0) tell(`  ${packageCount} packages`);
    if (line.startsWith("Installing collected")) tell(`  ${packageCount} packages, unpacking`);
  });
  // Programs in bin/ name the folder they were made in; Python itself does not, and it is all that is used.
  renameSync(unfinished, folder);
}

/** Runs a program to its end; throws with its last lines where it fails. */
async function run(program: string, args: readonly string[], onLine: (line: string) => void): Promise<void> {
  const child = spawnGroup(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const exit = once(child, "exit");
  const last: string[] = [];
  for (const output of [child.stdout!, child.stderr!]) {
    createInterface(output).on("line", (line) => {
      onLine(line);
      last.push(line);
      if (last.length > 10) last.shift();
    });
  }
  const [code] = await exit;
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} failed:\n${last.join("\n")}`);
}

/** Waits until this process alone holds the lock; a holder that is gone does not count. Gives what releases it. */
async function takeLock(path: string, tell: (line: string) => void): Promise<() => void> {
  for (let waited = false; ; waited = true) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      const release = () => rmSync(path, { force: true });
      process.once("exit", release);
      return () => {
        process.off("exit", release);
        release();
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (!waited) tell("waiting for another process that installs Synapse");
    if (!isHeld(path)) rmSync(path, { force: true });
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function isHeld(path: string): boolean {
  try {
    const holder = Number(readFileSync(path, "utf8"));
    // Just made, and not written yet.
    if (holder === 0) return true;
    process.kill(holder, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
