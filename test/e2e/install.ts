import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { spawnGroup } from "./processes.js";

/** Is given what to show while something is got. */
export type Tell = (line: string) => void;

/** Where programs are kept that are got once: `PINYON_CACHE`, or `pinyon` in the user's cache folder. */
function cacheFolder(): string {
  return process.env["PINYON_CACHE"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "pinyon");
}

/**
 * A program's folder in the cache: `fill` puts all of it into an empty folder at the first call on a machine, and later calls, also at the
 * same time and of other processes, find it there. The folder is renamed when it is whole, so nothing in it may name the folder.
 */
export async function installOnce(name: string, tell: Tell, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder(), name);
  if (existsSync(folder)) return folder;
  mkdirSync(cacheFolder(), { recursive: true });
  const release = await takeLock(`${folder}.lock`, () => tell(`waiting for another process that installs ${name}`));
  try {
    // Whoever held the lock before may have made it.
    if (existsSync(folder)) return folder;
    const unfinished = `${folder}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished);
    tell(`installing ${name} into ${folder}, once`);
    await fill(unfinished);
    renameSync(unfinished, folder);
  } finally {
    release();
  }
  return folder;
}

interface RunOptions {
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
}

/** Runs a program to its end; throws with its last lines where it fails. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<void> {
  const { env, onLine = () => {} } = options;
  const child = spawnGroup(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
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
async function takeLock(path: string, onWait: () => void): Promise<() => void> {
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
    if (!waited) onWait();
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
