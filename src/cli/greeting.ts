import { networkInterfaces } from "node:os";
import type { Command } from "commander";
import type { Daemon } from "../daemon/daemon.js";
import { formatHostPort } from "../daemon/host-port.js";
import { listenAddresses } from "../daemon/status.js";
import { keyHex } from "../daemon/target.js";
import { VERSION } from "../daemon/version.js";
import { table } from "./output.js";
import { commandText } from "./settings.js";

/** What a node says of itself when it has started: what it is, its name, and what to do next. */
export function greeting(daemon: Daemon, command: Command): string {
  const { options, listeners, metrics, discovery, overlay, name } = daemon;
  const { config, folder } = options;
  const port = listeners[0]?.address()?.port ?? 0;
  const from = config.listen === undefined ? "this machine and private networks only" : "anyone";
  const pinyon = commandText(command);
  const uri = `wss://${formatHostPort({ host: ownAddress(), port })}?key=${keyHex(overlay.node.key)}`;
  return `${[
    `Pinyon ${VERSION}, a node of the network "${config.network.id}", is running.`,
    ...table([
      ["name", name],
      ["listens on", `${listenAddresses(daemon).join(", ")} for ${from}`],
      ["state", folder],
      ...(metrics === undefined ? [] : [["metrics", `http://${formatHostPort(metrics.address())}/metrics`]]),
    ]),
    discovery === undefined
      ? "Link it to another node: on either machine, give the URI of the other. This node's is"
      : "Nodes on this LAN are found by themselves. To link a node elsewhere to this one, run there:",
    `  pinyon peer add '${uri}'`,
    `Then look: \`${pinyon} status\`, \`${pinyon} ping <name>\`. Ctrl-C stops the node.`,
  ].join("\n")}\n`;
}

/** An address of this machine that others may reach: of its first network card, else loopback. */
function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}
