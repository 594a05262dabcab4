import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import type { Command } from "commander";
import type { Daemon } from "../daemon/daemon.js";
import { formatHostPort, type HostPort } from "../daemon/host-port.js";
import { homeserverEndpoints, listenAddresses } from "../daemon/status.js";
import { keyHex } from "../daemon/target.js";
import { VERSION } from "../daemon/version.js";
import { isLocalAddress } from "../link/addresses.js";
import { homeserverText, table } from "./output.js";
import { commandText, programText } from "./settings.js";

/** What a node says of itself when it has started: what it is, its name, and what to do next. */
export function greeting(daemon: Daemon, configFile: string | undefined, command: Command): string {
  const { options, listeners, metrics, discovery, overlay, name } = daemon;
  const { config, folder } = options;
  const { homeserver } = config;
  const [first] = listeners.map((listener) => listener.address());
  const address = reachable(first);
  const uri = `wss://${formatHostPort(address)}?key=${keyHex(overlay.node.key)}`;
  const isOpen = config.listen !== undefined;
  /** False where the address shown admits nobody but this machine yet. */
  const isServed = isOpen || isLocalAddress(address.host);
  const lines = [
    `Pinyon ${VERSION} runs a node of the network "${config.network.id}".`,
    ...table([
      ["name", name],
      [
        "listens on",
        `${listenAddresses(daemon).join(", ")}${isOpen ? "" : ", for this machine and private networks only"}`,
      ],
      ...(homeserver === undefined ? [] : [["homeserver", homeserverText(homeserverEndpoints(homeserver))]]),
      ["state", folder],
      ...(configFile === undefined ? [] : [["config", configFile]]),
      ...(metrics === undefined ? [] : [["metrics", `http://${formatHostPort(metrics.address())}/metrics`]]),
    ]),
    ...(discovery === undefined ? [] : ["Nodes on this LAN are found by themselves."]),
    `${isServed ? "A node that can reach this machine" : "With `listen` set in the config file, a node elsewhere"} is linked to it by`,
    `  ${programText()} peer add '${uri}'`,
    ...(isOpen || !isServed ? [] : ["For links from the Internet set `listen` in the config file."]),
    `See what it does: ${commandText(command)} status. Ctrl-C stops the node.`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Where others may reach a listener: at its address, or where that means all of them at that of the first network card. */
function reachable(listener: AddressInfo | undefined): HostPort {
  const { address = "::", port = 0 } = listener ?? {};
  if (address !== "::" && address !== "0.0.0.0") return { host: address, port };
  const cards = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const host = cards.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
  return { host, port };
}
