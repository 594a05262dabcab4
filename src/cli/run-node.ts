import type { Command } from "commander";
import { type Config, defaultConfig } from "../daemon/config.js";
import { readConfig } from "../daemon/config-file.js";
import { Daemon } from "../daemon/daemon.js";
import { ErrorCode } from "../daemon/errors.js";
import { initNode } from "../daemon/init.js";
import { createLog, type Log } from "../daemon/logs.js";
import { refuseOpenToOthers } from "../daemon/modes.js";
import { ServiceNotices } from "../daemon/service-notices.js";
import { configPath } from "../daemon/state-folder.js";
import { chooseCrypto } from "../driver/choose-crypto.js";
import { greeting } from "./greeting.js";
import { count } from "./output.js";
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
  const daemon = await Daemon.start({ folder, config, crypto, log, configFile });
  if (configFile !== undefined && hasSecrets(config)) await warnIfOpen(daemon, configFile);
  const notices = new ServiceNotices({
    environment: process.env,
    status: () => statusLine(daemon),
    warn: (text) => daemon.warn(text),
  });
  handleProcessEvents(daemon, notices, log);
  process.stderr.write(greeting(daemon, configFile, command));
  notices.ready();
}

function statusLine({ name, links, overlay }: Daemon): string {
  return `${name}: ${count(links.size, "link")}, ${count(overlay.status().sessions.length, "session")}`;
}

function hasSecrets({ network, peers, homeserver }: Config): boolean {
  return (
    network.secret !== undefined || homeserver !== undefined || peers.some(({ password }) => password !== undefined)
  );
}

async function warnIfOpen(daemon: Daemon, configFile: string): Promise<void> {
  await refuseOpenToOthers(configFile, ErrorCode.CONFIG).catch((error: Error) => {
    daemon.warn(`the config file holds a secret: ${error.message}`);
  });
}

/** A second signal so soon after the first is the same: at Ctrl-C the terminal sends one, and npm another. */
const SAME_SIGNAL_MS = 500;

/** The first signal stops the node, a second one ends the process at once. */
function handleProcessEvents(daemon: Daemon, notices: ServiceNotices, log: Log): void {
  process.on("uncaughtException", (error) => daemon.handleFault(error));
  process.on("unhandledRejection", (error) => daemon.handleFault(error));
  let stoppingMs: number | undefined;
  const stop = async (signal: NodeJS.Signals) => {
    const nowMs = performance.now();
    if (stoppingMs !== undefined && nowMs - stoppingMs > SAME_SIGNAL_MS) process.exit(1);
    if (stoppingMs !== undefined) return;
    stoppingMs = nowMs;
    log.info({ signal }, "stopping");
    notices.stopping();
    await daemon.stop();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => {
      // Where no terminal can hang up, it is a person's wish that the config be read.
      if (signal === "SIGHUP" && !process.stdout.isTTY) return daemon.configWatch.reload();
      stop(signal).catch((error: unknown) => {
        daemon.handleFault(error);
        process.exit(1);
      });
    });
  }
}
