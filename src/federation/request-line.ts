import type { Socket } from "node:net";
import { isServerName } from "../wire/name.js";
import { METHOD_BYTES_MAX } from "./config.js";
import { FederationError } from "./errors.js";

/*
 * Synapse asks for `matrix-federation://<server name>/<path>`, and the platform's HTTP parser takes no hyphen in a scheme: it is taken
 * out of the first bytes of a connection, before the parser sees them.
 */

const SCHEME = "matrix-federation://";
const HYPHEN = SCHEME.indexOf("-");
const SPACE = " ".charCodeAt(0);
/** Scheme, host (a name or an address in brackets), port, path and query: no user, no fragment, no path that is left out. */
const TARGET = /^(matrixfederation|https):\/\/(\[[^\]/]*\]|[^:@/?#[\]]+)(?::([0-9]{1,5}))?(\/[^#]*)$/i;
/** The ports at which a Matrix server is looked for: that of a server without well-known or SRV record, and that of `https`. */
export const TLS_PORTS: ReadonlySet<number> = new Set([8448, 443]);
/** Below it stand the services of a system (RFC 6335), and of Matrix servers those of `TLS_PORTS` alone. */
export const USER_PORT_MIN = 1_024;

/** What the target of a request names. */
export interface RequestTarget {
  /** The server name: without a port for a server of the overlay, with the one that it was written with for any other. */
  readonly destination: string;
  /** Path and query, byte for byte as they came. */
  readonly path: string;
}

/** The first bytes of a connection as the parser takes them; undefined where it takes more bytes to know. All that follow stay. */
export function withoutHyphen(bytes: Buffer): Buffer | undefined {
  const space = bytes.indexOf(SPACE);
  if (space < 0 || space > METHOD_BYTES_MAX) return bytes.length > METHOD_BYTES_MAX ? bytes : undefined;
  const scheme = bytes
    .subarray(space + 1, space + 1 + SCHEME.length)
    .toString("latin1")
    .toLowerCase();
  if (scheme !== SCHEME) return SCHEME.startsWith(scheme) ? undefined : bytes;
  const hyphen = space + 1 + HYPHEN;
  return Buffer.concat([bytes.subarray(0, hyphen), bytes.subarray(hyphen + 1)]);
}

/** Reads the first bytes of a connection and puts them back as the parser takes them; then calls `onRead`. The socket is paused then. */
export function readFirstBytes(socket: Socket, onRead: () => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const handleEnd = () => socket.destroy();
  const handleData = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    const bytes = withoutHyphen(seen);
    if (bytes === undefined) return;
    socket.off("data", handleData).off("end", handleEnd).pause();
    socket.unshift(bytes);
    onRead();
  };
  socket.on("data", handleData).on("end", handleEnd);
}

/**
 * Reads the target of a request that came to this listener as to a proxy (absolute form, RFC 9112, 3.2.2), as the parser gives it. In
 * Matrix a port is part of a server name, and a server of the overlay has no name with one; in an `https` target to it the port is that of TLS.
 * Throws a `FederationError`.
 */
export function parseTarget(url: string): RequestTarget {
  const [, scheme, host, port, path] = TARGET.exec(url) ?? [];
  if (scheme === undefined || host === undefined || path === undefined) throw malformedTarget();
  const isTlsPort = scheme.toLowerCase() === "https" && TLS_PORTS.has(Number(port));
  if (port === undefined) return { destination: host, path };
  if (!isServerName(host)) return { destination: `${host}:${port}`, path };
  if (isTlsPort) return { destination: host, path };
  throw new FederationError("PINYON_DESTINATION", `${host} has no other name with port ${port}`);
}

function malformedTarget(): FederationError {
  return new FederationError(
    "PINYON_HEADERS",
    "expected a target of the form matrix-federation://<server name>/<path>: this address takes the federation of one homeserver",
  );
}
