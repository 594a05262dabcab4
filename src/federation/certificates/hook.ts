import { spawn } from "node:child_process";
import type { Timers } from "../overlay.js";
import { HOOK_SAID_BYTES_MAX, HOOK_TIMEOUT_MS } from "./config.js";

/** What a hook is to do with a TXT record. */
export type HookTask = "present" | "cleanup";

/**
 * Runs the operator's command that changes the DNS: `<command> present|cleanup <name> <value>`. Rejects with what it said where it cannot be
 * run, fails, or takes longer than `HOOK_TIMEOUT_MS`; then it and all that it started are killed.
 */
export function runHook(command: string, task: HookTask, name: string, value: string, timers: Timers): Promise<void> {
  return new Promise((resolve, reject) => {
    // A group of its own: a script that hangs mostly hangs in a program that it started.
    const child = spawn(command, [task, name, value], { stdio: ["ignore", "ignore", "pipe"], detached: true });
    let said = Buffer.alloc(0);
    child.stderr.on("data", (chunk: Buffer) => {
      said = Buffer.concat([said, chunk]).subarray(-HOOK_SAID_BYTES_MAX);
    });
    const fail = (why: string) => {
      cancel();
      const text = said.toString("utf8").trim();
      reject(new Error(`${command} ${task} ${name} ${why}${text === "" ? "" : `: ${text}`}`));
    };
    const cancel = timers.after(HOOK_TIMEOUT_MS, () => {
      killGroup(child.pid);
      fail("takes too long");
    });
    child.once("error", (error: NodeJS.ErrnoException) => fail(`cannot be run: ${error.code}`));
    child.once("close", (code, signal) => {
      if (code !== 0) return fail(code === null ? `was ended by ${signal}` : `ended with ${code}`);
      cancel();
      resolve();
    });
  });
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}
