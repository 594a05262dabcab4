import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { installOnce, run } from "../e2e/install.js";
import { type Namespaces, namespaces, whyNoNamespaces } from "../e2e/place.js";
import { endProcess } from "../e2e/processes.js";
import type { Bench } from "./benchmark.js";
import type { Stream } from "./bulk.js";
import { CHAIN } from "./homeservers.js";
import { tempFolderOf } from "./temp-folder.js";
import { Worker } from "./worker.js";

/** The newest one that the module proxy can build: those after it need a module that it does not give out. */
const VERSION = "0.5.7";
const PACKAGE = "github.com/yggdrasil-network/yggdrasil-go/cmd/yggdrasil";
const PORT = 18_200;
const UP_MS = 20_000;
const DEVICE_UP = "Interface MTU";

/**
 * Three nodes of Yggdrasil in a row, each in a network namespace with a TUN device, and a TCP stream from the first to the last; rejects
 * where it cannot be built or there are no namespaces.
 */
export async function openYggdrasil(bench: Bench): Promise<Stream> {
  const why = whyNoNamespaces();
  if (why !== undefined) throw new Error(why);
  const folder = await installOnce(`yggdrasil-${VERSION}`, bench.tell, (folder) =>
    run("go", ["install", `${PACKAGE}@v${VERSION}`], { env: { GOBIN: folder } }),
  );
  const place = await namespaces(bench, 3, CHAIN);
  const program = join(folder, "yggdrasil");
  const addresses = [];
  for (const node of [1, 0, 2]) addresses[node] = await startNode(bench, program, place, node);
  const receiver = await Worker.start(bench, "tcp-end", ["server", addresses[2]!], place.prefix(2));
  const port = await receiver.ask("port");
  const sender = await Worker.start(bench, "tcp-end", ["client", addresses[2]!, String(port)], place.prefix(0));
  return { sender, measure: (durationMs) => receiver.ask("measure", { durationMs }) };
}

/** Runs a node; gives its address. */
async function startNode(bench: Bench, program: string, place: Namespaces, node: number): Promise<string> {
  const file = join(tempFolderOf(bench), "yggdrasil.conf");
  const config = JSON.parse(execFileSync(program, ["-genconf", "-json"], { encoding: "utf8" }));
  const peers = CHAIN.filter(([from]) => from === node).map((edge) => `tcp://${place.address(edge).host}:${PORT}`);
  const own = {
    Listen: [`tcp://0.0.0.0:${PORT}`],
    Peers: peers,
    MulticastInterfaces: [],
    AdminListen: "none",
    IfName: "ygg0",
  };
  writeFileSync(file, JSON.stringify({ ...config, ...own }));
  const [command = "", ...args] = [...place.prefix(node), program, "-useconffile", file];
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] });
  bench.teardown(() => endProcess(child, "SIGTERM"));
  await hasDevice(child);
  return execFileSync(program, ["-useconffile", file, "-address"], { encoding: "utf8" }).trim();
}

/** Waits until a node says that its TUN device is there, with its address. */
async function hasDevice({ stdout }: ChildProcessByStdio<null, Readable, null>): Promise<void> {
  const signal = AbortSignal.timeout(UP_MS);
  let said = "";
  while (!said.includes(DEVICE_UP)) said += (await once(stdout, "data", { signal }))[0];
  stdout.resume();
}
