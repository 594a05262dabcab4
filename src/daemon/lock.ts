import { closeSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FILE_MODE } from "./atomic-file.js";
import { ErrorCode, PinyonError } from "./errors.js";

/*
 * One daemon a folder. Each start raises a flag, an empty file `lock.<pid>.<start time>`, and only then looks for the flags
 * of others. Of two starts at once at least one sees the other's flag, so never do both go on. The name tells all, so that
 * there is no half-written lock; a flag whose process is gone never comes to life again, so that anybody may remove it.
 */

const FLAG = /^lock\.(\d+)\.(\d+)$/;

/** Takes the lock of a folder, or throws `PINYON_LOCKED`. The function it gives frees the lock; so does the process's end. */
export function lockFolder(folder: string): () => void {
  const own = `lock.${process.pid}.${startTime(process.pid)}`;
  if (readdirSync(folder).includes(own)) throw locked(folder, process.pid);
  closeSync(openSync(join(folder, own), "wx", FILE_MODE));
  const free = () => rmSync(join(folder, own), { force: true });
  for (const name of readdirSync(folder)) {
    const [, pid, start] = FLAG.exec(name) ?? [];
    if (pid === undefined || name === own) continue;
    if (isRunning(Number(pid), Number(start))) {
      free();
      throw locked(folder, Number(pid));
    }
    rmSync(join(folder, name), { force: true });
  }
  return free;
}

function locked(folder: string, pid: number): PinyonError {
  return new PinyonError(
    ErrorCode.LOCKED,
    `${folder}: process ${pid} runs a node on this state folder: stop it, or give this node a folder of its own with --state`,
  );
}

function isRunning(pid: number, start: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, under another user.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return startTime(pid) === start;
}

/** When a process started, in clock ticks since boot, so that a reused pid is told apart; 0 where the system does not tell. */
function startTime(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command, in brackets, may hold anything: count from its end. Field 22 of proc(5).
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  } catch {
    return 0;
  }
}
