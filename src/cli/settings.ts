import { existsSync } from "node:fs";
import { basename, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { ControlClient } from "../daemon/control-client.js";
import { configPath, controlPath, stateFolderPath } from "../daemon/state-folder.js";

/** The options that say which node a command is about; `program.ts` takes them before a command and behind it. */
interface NodeOptions {
  readonly state?: string;
  readonly config?: string;
}

function nodeOptions(command: Command): NodeOptions {
  let root = command;
  while (root.parent !== null) root = root.parent;
  return root.opts<NodeOptions>();
}

/** The state folder that a command is about. */
export function folderOf(command: Command): string {
  return stateFolderPath(nodeOptions(command).state, process.env);
}

/** The config file named by --config, else the one in the state folder, which may not be there. */
export function configFilePath(command: Command): string {
  return nodeOptions(command).config ?? configPath(folderOf(command));
}

/** The same; undefined where none is named and the state folder has none. */
export function configFileOf(command: Command): string | undefined {
  const file = configFilePath(command);
  return nodeOptions(command).config !== undefined || existsSync(file) ? file : undefined;
}

/** Asks the daemon of a command's state folder something. Throws `PINYON_NOT_RUNNING`, or what the daemon says. */
export async function withDaemon<T>(command: Command, ask: (client: ControlClient) => Promise<T>): Promise<T> {
  const folder = folderOf(command);
  const client = await ControlClient.connect(controlPath(folder), folder);
  try {
    return await ask(client);
  } finally {
    client.close();
  }
}

/** How the program was called, so that a person can call it again: installed, from a clone, or by its file. */
export function programText(): string {
  const isByNpx = process.env["npm_command"] === "exec";
  if (basename(process.argv[1] ?? "") === "pinyon") return isByNpx ? "npx pinyon" : "pinyon";
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  if (relative(process.cwd(), root) === "") return "npx pinyon";
  return `node ${relative(process.cwd(), fileURLToPath(new URL("main.js", import.meta.url)))}`;
}

/** The same with what it takes to mean the same node. */
export function commandText(command: Command): string {
  const { state, config } = nodeOptions(command);
  const flags = [
    ...(state === undefined ? [] : ["--state", state]),
    ...(config === undefined ? [] : ["--config", config]),
  ];
  return [programText(), ...flags].join(" ");
}
