import { Command } from "commander";
import { Daemon } from "../daemon/daemon.js";
import { initNode } from "../daemon/init.js";
import { createLog, type Log } from "../daemon/logs.js";
import { configPath } from "../daemon/state-folder.js";
import { chooseCrypto } from "../driver/choose-crypto.js";
import { systemRandom } from "../driver/random.js";
import { greeting } from "./greeting.js";
import { configFileOf, configOf, folderOf } from "./settings.js";

export function runCommand(): Command {
  return new Command("run")
    .description("run the node until SIGTERM or Ctrl-C")
    .option("--init", "make the key and the config file first where there are none")
    .action(async (options: { init?: true }, command: Command) => {
      const folder = folderOf(command);
      const crypto = chooseCrypto(process.env);
      if (options.init) {
        const configFile = configFileOf(command) ?? configPath(folder);
        await initNode(folder, configFile, { crypto: crypto.crypto, random: systemRandom, onlyMissing: true });
      }
      const config = configOf(command);
      const log = createLog(config.log.level, process.stdout.isTTY, (line) => process.stdout.write(line));
      const daemon = await Daemon.start({ folder, config, crypto, log });
      process.stderr.write(greeting(daemon, command));
      handleProcessEvents(daemon, log);
    });
}

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
