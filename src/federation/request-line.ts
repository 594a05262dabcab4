import { isServerName } from "../wire/name.js";
import { METHOD_BYTES_MAX } from "./config.js";
import { FederationError } from "./errors.js";

/*
 * Synapse asks for `matrix-federation://<server name>/<path>`, and the platform's HTTP parser takes no hyphen in a scheme: in the first
 * line of each request a letter is put in its place, before the parser sees it.
 */

const SCHEME_START = "matrix";
const HYPHEN = "-".charCodeAt(0);
const LETTER = "x".charCodeAt(0);
const SPACE = " ".charCodeAt(0);
const CR = "\r".charCodeAt(0);
const LF = "\n".charCodeAt(0);
/** What makes a capital letter of ASCII a small one. */
const SMALL = 0x20;
/** Scheme, host (a name or an address in brackets), port, path and query: no user, no fragment, no path that is left out. */
const TARGET = /^(matrixxfederation|https):\/\/(\[[^\]/]*\]|[^:@/?#[\]]+)(?::([0-9]{1,5}))?(\/[^#]*)$/i;
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

/** Finds the hyphen of the scheme in the first line of a request, however its bytes are cut. */
export class SchemeHyphen {
  /** Bytes of the method so far; then `METHOD_BYTES_MAX + 1` and how many letters of the scheme were met. */
  #at = 0;

  /** What comes next is the beginning of a request. */
  restart(): void {
    this.#at = 0;
  }

  /** True while nothing of a request has come. */
  get isAtStart(): boolean {
    return this.#at === 0;
  }

  /** The next bytes of the connection: where the hyphen is among them a letter takes its place. */
  replaceIn(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length && this.#at < FOUND; i++) {
      const byte = bytes[i]!;
      if (this.#at < SCHEME_AT) this.#handleMethod(byte);
      else if (this.#at < HYPHEN_AT) this.#handleScheme(byte);
      else {
        if (byte === HYPHEN) bytes[i] = LETTER;
        this.#at = FOUND;
      }
    }
  }

  #handleMethod(byte: number): void {
    if (byte === SPACE) this.#at = SCHEME_AT;
    // The parser passes over empty lines before a request.
    else if (this.#at > 0 || (byte !== CR && byte !== LF))
      this.#at = this.#at < METHOD_BYTES_MAX ? this.#at + 1 : FOUND;
  }

  #handleScheme(byte: number): void {
    this.#at = (byte | SMALL) === SCHEME_START.charCodeAt(this.#at - SCHEME_AT) ? this.#at + 1 : FOUND;
  }
}

const SCHEME_AT = METHOD_BYTES_MAX + 1;
const HYPHEN_AT = SCHEME_AT + SCHEME_START.length;
const FOUND = HYPHEN_AT + 1;

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
