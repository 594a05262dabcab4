import type { Command } from "commander";
import { defaultConfig } from "../daemon/config.js";
import { readConfig } from "../daemon/config-file.js";
import { Daemon } from "../daemon/daemon.js";
import { initNode } from "../daemon/init.js";
import { createLog, type Log } from "../daemon/logs.js";
import { configPath } from "../daemon/state-folder.js";
import { chooseCrypto } from "../driver/choose-crypto.js";
import { greeting } from "./greeting.js";
import { configFileOf, folderOf } from "./settings.js";

/** Runs the node of a command line until a signal ends it; with `init` it makes the key and the config file where they are missing. */
export async function runNode(command: Command, init: boolean): Promise<void> {
  const folder = folderOf(command);
  const crypto = chooseCrypto(process.env);
  if (init) {
    const newFile = configFileOf(command) ?? configPath(folder);
    await initNode(folder, newFile, { onlyMissing: true });
  }
  const configFile = configFileOf(command);
  const config = configFile === undefined ? defaultConfig() : readConfig(configFile);
  const log = createLog(config.log.level, process.stdout.isTTY, (line) => process.stdout.write(line));
  const daemon = await Daemon.start({ folder, config, crypto, log });
  process.stderr.write(greeting(daemon, command));
  handleProcessEvents(daemon, log);
}

/** The first signal stops the node, a second one ends the process at once. */
function handleProcessEvents(daemon: Daemon, log: Log): void {
  process.on("uncaughtException", (error) => daemon.handleFault(error));
  process.on("unhandledRejection", (error) => daemon.handleFault(error));
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      log.info({ signal }, "stopping");
      daemon.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          daemon.handleFault(error);
          process.exit(1);
        },
      );
    });
  }
}
