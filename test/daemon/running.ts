import type { Test } from "tap";
import { parseConfig } from "../../src/daemon/config-file.js";
import { Daemon, type DaemonOptions } from "../../src/daemon/daemon.js";
import { initNode } from "../../src/daemon/init.js";
import { configPath } from "../../src/daemon/state-folder.js";
import { chooseCrypto } from "../../src/driver/choose-crypto.js";
import { silentLog } from "./silent-log.js";
import { tempFolder } from "./temp-folder.js";

const QUIET = { listen: ["127.0.0.1:0"], discovery: { enabled: false }, metrics: { listen: "127.0.0.1:0" } };

/** A node that runs in this process, on free ports of loopback, with nothing on the LAN. It ends with the test. */
export async function runningDaemon(
  t: Test,
  config: object = {},
  options: Partial<DaemonOptions> = {},
): Promise<Daemon> {
  const folder = options.folder ?? tempFolder(t);
  await initNode(folder, configPath(folder), { onlyMissing: true });
  const daemon = await Daemon.start({
    folder,
    config: parseConfig(JSON.stringify({ ...QUIET, ...config }), "test"),
    crypto: chooseCrypto(process.env),
    log: silentLog(),
    ...options,
  });
  t.teardown(() => daemon.stop());
  return daemon;
}

/** The peer URI of a running node. */
export function uriOf(daemon: Daemon): string {
  const key = Buffer.from(daemon.overlay.node.key).toString("hex");
  return `wss://127.0.0.1:${daemon.listeners[0]!.address()!.port}/?key=${key}`;
}
