import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { endProcess, hasEnded, spawnGroup } from "../processes.js";
import { pause } from "../steps/step.js";

const START_MS = 15_000;
const LOG_LINES_QUOTED = 10;

interface ServiceOptions {
  readonly label: string;
  /** Takes its log. */
  readonly folder: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** True where it serves. */
  readonly isUp: () => Promise<boolean>;
}

/** A server of the small Internet that is none of Matrix, in a process of its own. */
export class Service {
  #process: ChildProcess | undefined;

  constructor(private readonly options: ServiceOptions) {}

  /** Starts it and waits until it serves; throws with the end of its log where it does not. */
  async start(): Promise<void> {
    const { command, folder, env, label, isUp } = this.options;
    const [program = "", ...args] = command;
    const log = openSync(this.#logPath, "a");
    const child = spawnGroup(program, args, {
      stdio: ["ignore", log, log],
      env: { ...process.env, ...env },
      cwd: folder,
    });
    closeSync(log);
    this.#process = child;
    const endMs = performance.now() + START_MS;
    while (!(await isUp())) {
      if (hasEnded(child) || performance.now() > endMs)
        throw new Error(`${label} does not serve:\n${this.#lastLines()}`);
      await pause(50);
    }
  }

  /** Tells it to read its files again. */
  reload(): void {
    this.#process?.kill("SIGHUP");
  }

  async end(): Promise<void> {
    await endProcess(this.#process, "SIGTERM");
  }

  get #logPath(): string {
    return join(this.options.folder, `${this.options.label}.log`);
  }

  #lastLines(): string {
    return readFileSync(this.#logPath, "utf8").trimEnd().split("\n").slice(-LOG_LINES_QUOTED).join("\n");
  }
}
