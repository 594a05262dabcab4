import { existsSync } from "node:fs";
import type { Command } from "commander";
import { type Config, defaultConfig } from "../daemon/config.js";
import { readConfig } from "../daemon/config-file.js";
import { ControlClient } from "../daemon/control-client.js";
import { configPath, controlPath, stateFolderPath } from "../daemon/state-folder.js";

/** The state folder that a command is about. */
export function folderOf(command: Command): string {
  return stateFolderPath(command.optsWithGlobals<{ state?: string }>().state, process.env);
}

/** The config file named by --config; else the one in the state folder; undefined where there is none. */
export function configFileOf(command: Command): string | undefined {
  const { config } = command.optsWithGlobals<{ config?: string }>();
  const own = configPath(folderOf(command));
  return config ?? (existsSync(own) ? own : undefined);
}

/** The config of a command's node. Throws `PINYON_CONFIG`. */
export function configOf(command: Command): Config {
  const file = configFileOf(command);
  return file === undefined ? defaultConfig() : readConfig(file);
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
