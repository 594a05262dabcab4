import { KEY_BYTES } from "../wire/limits.js";
import { base32Decode, KEY_NAME_CHARS } from "../wire/name.js";

/**
 * Peer URIs: `wss://host:port/path?key=<key>&priority=<n>&maxbackoff=<time>&password=<secret>`, or `wss://<key>@host:port`
 * for short. `key` may stand several times: the peer has any one of these.
 */
export interface PeerUri {
  readonly scheme: "ws" | "wss";
  /** A DNS name or an IP address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Begins with a slash. */
  readonly path: string;
  /** Pinned public keys; with none any key is taken that the hello proves. */
  readonly keys: readonly Uint8Array[];
  /** 0 to 255; a lower one is preferred. */
  readonly priority: number;
  /** Longest wait between two dials, where it is not the dialer's default. */
  readonly backoffMaxMs: number | undefined;
  /** Pre-shared secret of this link's hello. */
  readonly password: string | undefined;
}

/** A text that is no peer URI; the message says what was expected. It never quotes a password. */
export class PeerUriError extends Error {
  readonly code = "PINYON_PEER_URI";
  override readonly name = "PeerUriError";
}

const PRIORITY_MAX = 255;
const BACKOFF_MIN_MS = 1_000;
const BACKOFF_MAX_MS = 7 * 24 * 3_600_000;
const UNIT_MS: Readonly<Record<string, number>> = { "": 1_000, s: 1_000, m: 60_000, h: 3_600_000 };
const DEFAULT_PORT = { ws: 80, wss: 443 } as const;

/** Reads a peer URI. Throws `PeerUriError`. */
export function parsePeerUri(text: string): PeerUri {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const scheme = url?.protocol.slice(0, -1);
  if (url === undefined || (scheme !== "ws" && scheme !== "wss")) {
    throw new PeerUriError("expected a peer URI of the form wss://host:port/path or ws://host:port/path");
  }
  if (url.password !== "") throw new PeerUriError("expected a key alone before the @; a secret is given as ?password=");
  if (url.hash !== "") throw new PeerUriError("expected no # in a peer URI; in a password write it as %23");
  const port = url.port === "" ? DEFAULT_PORT[scheme] : Number(url.port);
  if (port === 0) throw new PeerUriError("expected a port from 1 to 65535");

  const parameters = readParameters(url.search);
  const keyTexts = [...(url.username === "" ? [] : [url.username]), ...(parameters.get("key") ?? [])];
  const priority = parameters.get("priority")?.[0];
  const backoffMax = parameters.get("maxbackoff")?.[0];
  return {
    scheme,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port,
    path: url.pathname,
    keys: keyTexts.map(readKey),
    priority: priority === undefined ? 0 : readPriority(priority),
    backoffMaxMs: backoffMax === undefined ? undefined : readBackoff(backoffMax),
    password: parameters.get("password")?.[0],
  };
}

/** The text that `parsePeerUri` reads back, its password included. */
export function formatPeerUri(uri: PeerUri): string {
  const parameters = uri.keys.map((key) => `key=${Buffer.from(key).toString("hex")}`);
  if (uri.priority !== 0) parameters.push(`priority=${uri.priority}`);
  if (uri.backoffMaxMs !== undefined) parameters.push(`maxbackoff=${uri.backoffMaxMs / 1_000}`);
  if (uri.password !== undefined) parameters.push(`password=${encodeURIComponent(uri.password)}`);
  return `${peerEndpoint(uri)}${parameters.length === 0 ? "" : `?${parameters.join("&")}`}`;
}

/** Where the peer is, without keys and secrets: `wss://relay.example:18100/`. */
export function peerEndpoint(uri: PeerUri): string {
  const host = uri.host.includes(":") ? `[${uri.host}]` : uri.host;
  return `${uri.scheme}://${host}:${uri.port}${uri.path}`;
}

function readParameters(search: string): Map<string, string[]> {
  const parameters = new Map<string, string[]>();
  for (const part of search.slice(1).split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    if (!["key", "priority", "maxbackoff", "password"].includes(name)) {
      throw new PeerUriError(`expected the parameters key, priority, maxbackoff and password; there is no "${name}"`);
    }
    const values = parameters.get(name) ?? [];
    if (values.length > 0 && name !== "key") throw new PeerUriError(`expected ${name} at most once`);
    values.push(percentDecode(equals < 0 ? "" : part.slice(equals + 1), name));
    parameters.set(name, values);
  }
  return parameters;
}

function percentDecode(text: string, name: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new PeerUriError(`expected UTF-8 and two hex digits after each % in ${name}`);
  }
}

/** A key in hex or in the base32 form of its name. */
function readKey(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/i.test(text)) return new Uint8Array(Buffer.from(text, "hex"));
  const key = text.length === KEY_NAME_CHARS ? base32Decode(text) : undefined;
  if (key === undefined) {
    throw new PeerUriError(
      `expected a key of ${KEY_BYTES * 2} hex digits or ${KEY_NAME_CHARS} characters of base32, not "${text}"`,
    );
  }
  return key;
}

function readPriority(text: string): number {
  const priority = Number(text);
  if (!/^\d+$/.test(text) || priority > PRIORITY_MAX) {
    throw new PeerUriError(`expected a priority from 0 to ${PRIORITY_MAX}, not "${text}"`);
  }
  return priority;
}

function readBackoff(text: string): number {
  const match = /^(\d{1,9})([smh]?)$/.exec(text);
  const backoffMs = match === null ? Number.NaN : Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? Number.NaN);
  if (!(backoffMs >= BACKOFF_MIN_MS && backoffMs <= BACKOFF_MAX_MS)) {
    throw new PeerUriError(`expected a maxbackoff from 1s to 168h, such as 90, 90s, 5m or 1h, not "${text}"`);
  }
  return backoffMs;
}
