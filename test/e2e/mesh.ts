import type { ChildProcess } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ControlClient } from "../../src/daemon/control-client.js";
import type {
  ControlRequest,
  PingResult,
  ResultOf,
  StatusResult,
  TraceResult,
} from "../../src/daemon/control-protocol.js";
import { pinyonCode } from "../../src/daemon/errors.js";
import { initNode } from "../../src/daemon/init.js";
import { createKey } from "../../src/daemon/key-file.js";
import { configPath, controlPath, prepareFolder } from "../../src/daemon/state-folder.js";
import { nameToKey } from "../../src/wire/name.js";
import { BARE_NODE } from "../daemon/bare-node.js";
import type { Json } from "./matrix-client.js";
import type { Edge, Place } from "./place.js";
import { endProcess, hasEnded, spawnGroup } from "./processes.js";

/** The compiled command line. */
export const PINYON = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/** A node of a mesh: a daemon in a process of its own, asked over its control socket. */
export class MeshNode {
  process: ChildProcess | undefined;
  /** What the process wrote to stderr. */
  #said = "";

  constructor(
    readonly index: number,
    readonly folder: string,
    readonly name: string,
    /** For what tests print. */
    readonly label: string,
    private readonly command: readonly string[],
  ) {}

  get runs(): boolean {
    return this.process !== undefined && !hasEnded(this.process);
  }

  start(): void {
    const [program = "", ...args] = this.command;
    const log = openSync(join(this.folder, "daemon.log"), "a");
    this.process = spawnGroup(program, args, { stdio: ["ignore", log, "pipe", "ipc"] });
    closeSync(log);
    this.process.stderr?.on("data", (text: Buffer) => {
      this.#said += text.toString();
    });
    // A node that has ended takes no order.
    this.process.on("error", () => {});
  }

  /** Waits until the daemon answers. */
  async ready(): Promise<void> {
    for (;;) {
      if (!this.runs) throw new Error(`${this.label} has ended: ${this.#said}`);
      const client = await this.#connect().catch(() => undefined);
      if (client !== undefined) return client.close();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Sends a signal that ends the process, and waits for its end; gives the exit code, null where a signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null> {
    return endProcess(this.process, signal);
  }

  status(): Promise<StatusResult> {
    return this.ask({ verb: "status" });
  }

  ping(target: MeshNode): Promise<PingResult> {
    return this.ask({ verb: "ping", target: target.name });
  }

  trace(target: MeshNode): Promise<TraceResult> {
    return this.ask({ verb: "trace", target: target.name });
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

  /** Asks by a connection of its own: one that says nothing for a minute is closed. */
  async ask<R extends ControlRequest>(request: R): Promise<ResultOf<R>> {
    const client = await this.#connect();
    try {
      return await client.request(request);
    } finally {
      client.close();
    }
  }

  #connect(): Promise<ControlClient> {
    return ControlClient.connect(controlPath(this.folder), this.folder);
  }
}

/** Whose end something ends with: a test, or the demo. */
export interface Owner {
  teardown(end: () => unknown): void;
}

interface MeshOptions {
  readonly nodeCount: number;
  readonly edges: readonly Edge[];
  readonly place: Place;
  /** Peer URIs that every node has beside its edges. */
  readonly peers?: readonly string[];
  /** The nodes have no peers and find each other on the LAN. */
  readonly discovery?: true;
  /** Nodes that run `stream-node.js`, with which a test can exchange streams; the others run `pinyon run`. */
  readonly streaming?: readonly number[];
  /** Nodes that run `capture-node.js`, which writes down what their links deliver. */
  readonly capturing?: readonly number[];
  /** Nodes that run `plant-node.js`, which sends a frame as a test says. */
  readonly planting?: readonly number[];
  /** Nodes that run `flow-node.js`, which keeps flows going as a test says. */
  readonly flowing?: readonly number[];
  /** The seed of each node's keys; drawn where they are not given. */
  readonly seeds?: readonly Uint8Array[];
  /** What the nodes are called; A, B, C … where they have no names. */
  readonly labels?: readonly string[];
  /** The domain of each node's name, where it is not that of all. */
  readonly suffixes?: readonly (string | undefined)[];
  /** What a node has in its config beside what all have. */
  readonly settings?: (node: MeshNode, nodes: readonly MeshNode[]) => Json;
}

const TEST_PROGRAMS = {
  streaming: "stream-node.js",
  capturing: "capture-node.js",
  planting: "plant-node.js",
  flowing: "flow-node.js",
} as const;

/** What a node runs. */
function programOf(index: number, folder: string, options: MeshOptions): string[] {
  for (const use of ["streaming", "capturing", "planting", "flowing"] as const) {
    const program = fileURLToPath(new URL(TEST_PROGRAMS[use], import.meta.url));
    if (options[use]?.includes(index)) return [program, folder];
  }
  return [PINYON, "--state", folder, "run"];
}

/** Makes the nodes of a mesh, with their keys, configs and state folders; none runs yet. They end with the test. */
export async function makeMesh(t: Owner, options: MeshOptions): Promise<MeshNode[]> {
  const { nodeCount, edges, place, peers = [], discovery, labels = [], seeds = [], suffixes = [] } = options;
  const base = mkdtempSync(join(tmpdir(), "pinyon-e2e-"));
  const nodes: MeshNode[] = [];
  for (let index = 0; index < nodeCount; index++) {
    const folder = join(base, String(index));
    const seed = seeds[index];
    if (seed !== undefined) {
      await prepareFolder(folder);
      await createKey(folder, seed);
    }
    const suffix = suffixes[index];
    if (suffix !== undefined) {
      await prepareFolder(folder);
      writeFileSync(configPath(folder), JSON.stringify({ suffix }));
    }
    const { name } = await initNode(folder, configPath(folder), { onlyMissing: true });
    const command = [...place.prefix(index), ...BARE_NODE, ...programOf(index, folder, options)];
    nodes.push(new MeshNode(index, folder, name, labels[index] ?? String.fromCharCode(65 + index), command));
  }
  for (const node of nodes) {
    const { index, folder } = node;
    const uris = edges.filter(([from]) => from === index).map((edge) => peerUri(nodes[edge[1]]!, place.address(edge)));
    const { host, port } = place.listen(index);
    const linked = { listen: [`${host}:${port}`], peers: [...uris, ...peers], discovery: { enabled: false } };
    const shape = discovery ? {} : linked;
    const own = { suffix: suffixes[index], ...options.settings?.(node, nodes) };
    const config = { ...shape, metrics: { listen: "127.0.0.1:0" }, log: { level: "warn" }, ...own };
    writeFileSync(configPath(folder), JSON.stringify(config));
  }
  t.teardown(async () => {
    await Promise.all(nodes.map((node) => node.end("SIGKILL")));
    rmSync(base, { recursive: true, force: true, maxRetries: 3 });
  });
  return nodes;
}

/** How others dial a node. */
export function peerUri({ name }: MeshNode, { host, port }: { host: string; port: number }): string {
  return `wss://${host}:${port}?key=${Buffer.from(nameToKey(name)!).toString("hex")}&maxbackoff=1s`;
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
