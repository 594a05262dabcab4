import { networkInterfaces } from "node:os";
import { isLocalAddress } from "../link/addresses.js";
import { Listener, type ListenerOptions } from "../link/listener.js";
import { DEFAULT_PORT } from "./config.js";
import { ErrorCode, messageOf, PinyonError, systemCode } from "./errors.js";
import { formatHostPort, type HostPort } from "./host-port.js";
import { DEFAULT_PORT_TRIES } from "./limits.js";

/**
 * Opens a listener for each address; without any, one for all addresses that admits local sources alone, on the default port
 * or the next free one. `[::]` takes IPv4 as well, so that 0.0.0.0 beside it is no address of its own. Throws `PINYON_LISTEN`,
 * with none left open.
 */
export async function openListeners(
  addresses: readonly HostPort[] | undefined,
  options: Omit<ListenerOptions, "admit">,
): Promise<Listener[]> {
  if (addresses === undefined) {
    const local = { ...options, admit: isAdmittedUnset };
    return [await firstFree(DEFAULT_PORT, "listen", (port) => openListener(local, { port }))];
  }
  const listeners: Listener[] = [];
  try {
    for (const address of addresses.filter((one) => !isIncluded(one, addresses))) {
      const open = openListener({ ...options, admit: () => true }, address);
      listeners.push(
        await open.catch((error: unknown) => Promise.reject(listenError(error, formatHostPort(address), "listen"))),
      );
    }
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.close()));
    throw error;
  }
  return listeners;
}

function isIncluded({ host, port }: HostPort, addresses: readonly HostPort[]): boolean {
  return host === "0.0.0.0" && port !== 0 && addresses.some((other) => other.host === "::" && other.port === port);
}

/** Who may link to a node that sets no `listen`: private networks, and this machine by whatever address it has. */
export function isAdmittedUnset(source: string): boolean {
  if (isLocalAddress(source)) return true;
  return Object.values(networkInterfaces()).some((card) => card?.some(({ address }) => address === source));
}

async function openListener(
  options: ListenerOptions,
  { port, host }: { port: number; host?: string },
): Promise<Listener> {
  const listener = new Listener(options);
  await listener.listen(port, host);
  return listener;
}

/**
 * Opens something on the first free port from a default one up, so that several nodes on one machine need no config. `key` is
 * the config key that sets the address.
 */
export async function firstFree<T>(first: number, key: string, open: (port: number) => Promise<T>): Promise<T> {
  for (let port = first; ; port++) {
    try {
      return await open(port);
    } catch (error) {
      if (systemCode(error) !== "EADDRINUSE") throw error;
      if (port + 1 < first + DEFAULT_PORT_TRIES) continue;
      throw new PinyonError(
        ErrorCode.LISTEN,
        `ports ${first} to ${port} are all in use: set \`${key}\` in the config file to an address with a free port`,
        { cause: error },
      );
    }
  }
}

/** Why a configured address cannot be listened on, for a person. */
export function listenError(error: unknown, address: string, key: string): PinyonError {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: "another program listens there: stop it, or change",
    EACCES: "this user may not listen there: choose a port above 1023, or a folder that is the user's, in",
    ENOENT: "there is no such folder: change",
    EADDRNOTAVAIL: "this machine has no such address: change",
    ENOTFOUND: "the host name is unknown: change",
  };
  const reason = reasons[systemCode(error) ?? ""] ?? `${messageOf(error)}: change`;
  return new PinyonError(ErrorCode.LISTEN, `${address}: ${reason} \`${key}\` in the config file`, {
    cause: error,
  });
}
