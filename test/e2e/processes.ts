import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";

/** Process groups that this process started and that may still run. */
const running = new Set<ChildProcess>();

/**
 * Starts a program in a process group of its own, so that a Ctrl-C in the terminal does not reach it before us. The group ends when this
 * process does, by a signal or not; SIGKILL alone leaves it.
 */
export function spawnGroup(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  if (running.size === 0) process.once("exit", killAll);
  const child = spawn(program, args, { ...options, detached: true });
  running.add(child);
  child.once("exit", () => {
    running.delete(child);
    if (running.size === 0) process.off("exit", killAll);
  });
  return child;
}

export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Sends a signal that ends a process, and waits for its end; gives the exit code, null where a signal ended it. */
export async function endProcess(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<number | null> {
  if (child === undefined || hasEnded(child)) return child?.exitCode ?? null;
  const exit = once(child, "exit");
  child.kill(signal);
  await exit;
  return child.exitCode;
}

/** Ends all at once, as must be done where nothing can be waited for. */
function killAll(): void {
  for (const { pid } of running) {
    try {
      if (pid !== undefined) process.kill(-pid, "SIGKILL");
    } catch {
      // It has just ended.
    }
  }
}
