import { chmod, lstat, rm } from "node:fs/promises";
import { createConnection, type Server } from "node:net";

/** Where a server listens: a TCP port, or a Unix socket. */
export type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** The homeserver runs as another user, of the same group: nobody else may connect. */
const SOCKET_MODE = 0o660;

/**
 * Lets `server` listen. A Unix socket that a dead process left behind is replaced. Rejects with the system's error: `EADDRINUSE` also
 * where a process takes connections on the Unix socket, or where the path is that of another kind of file.
 */
export async function listenOn(server: Server, address: ListenAddress): Promise<void> {
  if (!("path" in address)) return listen(server, address);
  const { path } = address;
  try {
    await listen(server, address);
  } catch (error) {
    if (codeOf(error) !== "EADDRINUSE" || !(await isStale(path))) throw error;
    await rm(path, { force: true });
    await listen(server, address);
  }
  await chmod(path, SOCKET_MODE);
}

/** Where `server` listens, which knows the port where 0 was asked for. */
export function addressOf(server: Server, asked: ListenAddress): ListenAddress {
  const address = server.address();
  return address === null || typeof address === "string" ? asked : { host: address.address, port: address.port };
}

function listen(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

/** True for a Unix socket on which no process listens. */
async function isStale(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) return false;
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.on("connect", () => resolve(false)).on("error", (error) => resolve(codeOf(error) === "ECONNREFUSED"));
    socket.on("connect", () => socket.destroy());
  });
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}
