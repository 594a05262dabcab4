import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { endProcess, spawnGroup } from "../e2e/processes.js";
import type { Bench } from "./benchmark.js";

/** Long enough for everything that a program is asked for. */
const ANSWER_MS = 120_000;

interface Order {
  readonly id: number;
  readonly command: string;
  readonly args: unknown;
}
interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** A program of the benchmarks in a process of its own, which does what it is asked. */
export class Worker {
  #id = 0;

  constructor(private readonly process: ChildProcess) {}

  /** Starts a program of the folder `programs`; it ends with the benchmark. `prefix` is what the command begins with. */
  static async start(bench: Bench, program: string, args: readonly string[] = [], prefix: readonly string[] = []) {
    const file = fileURLToPath(new URL(`programs/${program}.js`, import.meta.url));
    const [command = "", ...rest] = [...prefix, ...bench.node, file, ...args];
    const process = spawnGroup(command, rest, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    bench.teardown(() => endProcess(process, "SIGKILL"));
    const ended = once(process, "exit").then(() => Promise.reject(new Error(`the program ${program} ended at once`)));
    await Promise.race([once(process, "message"), ended]);
    ended.catch(() => {});
    return new Worker(process);
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** Asks one thing; several may be asked at once. Rejects with what went wrong there. */
  ask<Result>(command: string, args: unknown = {}): Promise<Result> {
    const order: Order = { id: ++this.#id, command, args };
    return askProcess(this.process, order);
  }

  end(): Promise<unknown> {
    return endProcess(this.process, "SIGTERM");
  }
}

/** Asks one thing of a process that serves commands. */
export function askProcess<Result>(process: ChildProcess, order: Order): Promise<Result> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      process.off("message", onMessage).off("exit", onExit);
      finish();
    };
    const onMessage = (message: unknown) => {
      const { id, result, error } = message as Answer;
      if (id !== order.id) return;
      settle(() => (error === undefined ? resolve(result as Result) : reject(new Error(error))));
    };
    const onExit = () => settle(() => reject(new Error(`the process that was asked for ${order.command} ended`)));
    const timer = setTimeout(() => settle(() => reject(new Error(`${order.command} was not answered`))), ANSWER_MS);
    process.on("message", onMessage).on("exit", onExit);
    process.send(order);
  });
}
