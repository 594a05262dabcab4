import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";
import { ControlClient } from "../../src/daemon/control-client.js";
import type { PingResult, StatusResult, TraceResult } from "../../src/daemon/control-protocol.js";
import { pinyonCode } from "../../src/daemon/errors.js";
import { initNode } from "../../src/daemon/init.js";
import { configPath, controlPath } from "../../src/daemon/state-folder.js";
import { nameToKey } from "../../src/wire/name.js";
import { BARE_NODE } from "../daemon/bare-node.js";
import type { Edge, Place } from "./place.js";

/** The compiled command line. */
export const PINYON = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/** A node of a mesh: a daemon in a process of its own, asked over its control socket. */
export class MeshNode {
  process: ChildProcess | undefined;
  #client: ControlClient | undefined;
  /** What the process wrote to stderr. */
  #said = "";

  constructor(
    readonly index: number,
    readonly folder: string,
    readonly name: string,
    private readonly command: readonly string[],
  ) {}

  /** A, B, C …: for what tests print. */
  get label(): string {
    return String.fromCharCode(65 + this.index);
  }

  start(): void {
    const [program = "", ...args] = this.command;
    this.process = spawn(program, args, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    this.process.stderr?.on("data", (text: Buffer) => {
      this.#said += text.toString();
    });
    // A node that has ended takes no order.
    this.process.on("error", () => {});
  }

  /** Waits until the daemon answers. */
  async ready(): Promise<void> {
    while (this.#client === undefined) {
      if (this.process === undefined || hasEnded(this.process))
        throw new Error(`${this.label} has ended: ${this.#said}`);
      this.#client = await ControlClient.connect(controlPath(this.folder), this.folder).catch(() => undefined);
      if (this.#client === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Sends a signal that ends the process, and waits for its end; gives the exit code, null where a signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.#client?.close();
    this.#client = undefined;
    const { process } = this;
    if (process === undefined || hasEnded(process)) return process?.exitCode ?? null;
    const exit = once(process, "exit");
    process.kill(signal);
    await exit;
    return process.exitCode;
  }

  status(): Promise<StatusResult> {
    return this.#asked().request({ verb: "status" });
  }

  ping(target: MeshNode): Promise<PingResult> {
    return this.#asked().request({ verb: "ping", target: target.name });
  }

  trace(target: MeshNode): Promise<TraceResult> {
    return this.#asked().request({ verb: "trace", target: target.name });
  }

  /** Pings until there is an answer. */
  async reach(target: MeshNode, withinMs: number): Promise<PingResult> {
    const endMs = performance.now() + withinMs;
    for (;;) {
      try {
        return await this.ping(target);
      } catch (error) {
        if (pinyonCode(error) !== "PINYON_UNREACHABLE" || performance.now() > endMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  #asked(): ControlClient {
    if (this.#client === undefined) throw new Error(`${this.label} does not run`);
    return this.#client;
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

interface MeshOptions {
  readonly nodeCount: number;
  readonly edges: readonly Edge[];
  readonly place: Place;
  /** The nodes have no peers and find each other on the LAN. */
  readonly discovery?: true;
  /** Nodes that run `stream-node.js`, with which a test can exchange streams; the others run `pinyon run`. */
  readonly streaming?: readonly number[];
}

/** Makes the nodes of a mesh, with their keys, configs and state folders; none runs yet. They end with the test. */
export async function makeMesh(t: Test, options: MeshOptions): Promise<MeshNode[]> {
  const { nodeCount, edges, place, discovery, streaming = [] } = options;
  const base = mkdtempSync(join(tmpdir(), "pinyon-e2e-"));
  const nodes: MeshNode[] = [];
  for (let index = 0; index < nodeCount; index++) {
    const folder = join(base, String(index));
    const { name } = await initNode(folder, configPath(folder));
    const program = streaming.includes(index)
      ? [fileURLToPath(new URL("stream-node.js", import.meta.url)), folder]
      : [PINYON, "--state", folder, "run"];
    nodes.push(new MeshNode(index, folder, name, [...place.prefix(index), ...BARE_NODE, ...program]));
  }
  for (const { index, folder } of nodes) {
    const peers = edges
      .filter(([from]) => from === index)
      .map((edge) => {
        const { host, port } = place.address(edge);
        return `wss://${host}:${port}?key=${Buffer.from(nameToKey(nodes[edge[1]]!.name)!).toString("hex")}&maxbackoff=1s`;
      });
    const { host, port } = place.listen(index);
    const shape = discovery ? {} : { listen: [`${host}:${port}`], peers, discovery: { enabled: false } };
    const config = { ...shape, metrics: { listen: "127.0.0.1:0" }, log: { level: "error" } };
    writeFileSync(configPath(folder), JSON.stringify(config));
  }
  t.teardown(async () => {
    await Promise.all(nodes.map((node) => node.end("SIGKILL")));
    rmSync(base, { recursive: true, force: true, maxRetries: 3 });
  });
  return nodes;
}

/** Starts all nodes, the last one when the others run, and waits until it runs; gives the moment of its start, in ms. */
export async function startAll(nodes: readonly MeshNode[]): Promise<number> {
  const first = nodes.slice(0, -1);
  for (const node of first) node.start();
  await Promise.all(first.map((node) => node.ready()));
  const last = nodes.at(-1)!;
  const startedMs = performance.now();
  last.start();
  await last.ready();
  return startedMs;
}

/** Every ordered pair of different nodes. */
export function pairs(nodes: readonly MeshNode[]): [MeshNode, MeshNode][] {
  return nodes.flatMap((from) => nodes.filter((to) => to !== from).map((to): [MeshNode, MeshNode] => [from, to]));
}
