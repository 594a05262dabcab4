import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { type Endpoint, formatEndpoint } from "../daemon/endpoint.js";
import { ErrorCode, messageOf, PinyonError, systemCode } from "../daemon/errors.js";
import type { HostPort } from "../daemon/host-port.js";
import { listenOn } from "../federation/listen-address.js";

/** Ports tried, from the default one up. */
const TRIES = 100;

/** Throws `PINYON_LISTEN` where an endpoint cannot be listened on now; `instead` says what to do. */
export async function requireFree(endpoint: Endpoint, instead: string): Promise<void> {
  const error = await listenError(endpoint);
  if (error === undefined) return;
  const why = systemCode(error) === "EADDRINUSE" ? "is in use" : `cannot be listened on: ${reason(endpoint, error)}`;
  throw new PinyonError(ErrorCode.LISTEN, `${formatEndpoint(endpoint)} ${why}: ${instead}`);
}

/** The first free port from one up. Throws `PINYON_LISTEN` where a hundred are in use. */
export async function firstFree({ host, port }: HostPort, instead: string): Promise<HostPort> {
  for (let next = port; next < port + TRIES; next++) {
    if ((await listenError({ host, port: next })) === undefined) return { host, port: next };
  }
  throw new PinyonError(ErrorCode.LISTEN, `ports ${port} to ${port + TRIES - 1} of ${host} are in use: ${instead}`);
}

/** The system says of a socket's folder that is not there what it says of one that is closed. */
function reason(endpoint: Endpoint, error: Error): string {
  if (!("path" in endpoint) || existsSync(dirname(endpoint.path))) return messageOf(error);
  return `there is no folder ${dirname(endpoint.path)}`;
}

/** Tries it as the daemon will. */
async function listenError(endpoint: Endpoint): Promise<Error | undefined> {
  const server = createServer();
  try {
    await listenOn(server, endpoint);
  } catch (error) {
    return error as Error;
  }
  await new Promise((resolve) => server.close(resolve));
  return undefined;
}
