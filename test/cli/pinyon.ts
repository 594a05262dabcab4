import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";
import { BARE_NODE } from "../daemon/bare-node.js";

const [ENV, ...NODE] = BARE_NODE;
const MAIN = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/** How a command ended, and what it said. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `pinyon` with arguments, as a shell would. */
export function pinyon(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(ENV, [...NODE, MAIN, ...args], { timeout: 60_000 }, (error, stdout, stderr) => {
      const code = typeof error?.code === "number" ? error.code : error === null ? 0 : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** A state folder and its node, which keeps to itself: free ports of loopback, nothing on the LAN. It ends with the test. */
export class NodeFolder {
  process: ChildProcess | undefined;
  stdout = "";
  stderr = "";

  constructor(
    t: Test,
    readonly folder: string,
    /** What the node finds in its environment beside what this process has. */
    readonly environment: Readonly<Record<string, string>> = {},
  ) {
    t.teardown(() => this.end("SIGKILL"));
  }

  /** Runs `pinyon` on this node. */
  ask(...args: string[]): Promise<Outcome> {
    return pinyon("--state", this.folder, ...args);
  }

  async json<T>(...args: string[]): Promise<T> {
    const { stdout, stderr } = await this.ask(...args, "--json");
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as T;
  }

  configure(config: object = {}): void {
    const quiet = { listen: ["127.0.0.1:0"], discovery: { enabled: false }, metrics: { listen: "127.0.0.1:0" } };
    writeFileSync(join(this.folder, "pinyon.yaml"), JSON.stringify({ ...quiet, ...config }), { mode: 0o600 });
  }

  /** Starts `pinyon run` and waits until the node greets. */
  async run(...args: string[]): Promise<void> {
    const env = { ...process.env, ...this.environment };
    const node = spawn(ENV, [...NODE, MAIN, "--state", this.folder, "run", ...args], { env });
    this.process = node;
    this.stdout = "";
    this.stderr = "";
    node.stdout.on("data", (text: Buffer) => {
      this.stdout += text.toString();
    });
    await new Promise<void>((resolve, reject) => {
      node.on("exit", () => reject(new Error(this.stderr)));
      node.stderr.on("data", (text: Buffer) => {
        this.stderr += text.toString();
        if (this.stderr.includes("Ctrl-C stops the node.")) resolve();
      });
    });
  }

  /** Sends a signal that ends the node; gives its exit code, null where the signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const node = this.process;
    this.process = undefined;
    if (node === undefined || node.exitCode !== null || node.signalCode !== null) return null;
    const exit = once(node, "exit");
    node.kill(signal);
    await exit;
    return node.exitCode;
  }
}
