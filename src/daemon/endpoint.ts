import { formatHostPort, type HostPort, parseHostPort } from "./host-port.js";

/** Where a server of this host listens: an address, or the path of a Unix socket. */
export type Endpoint = HostPort | { readonly path: string };

const UNIX = "unix:";
const HTTP = "http://";

/** Reads `host:port` or `unix:/path`; undefined where `text` has another form. */
export function parseEndpoint(text: string): Endpoint | undefined {
  if (!text.startsWith(UNIX)) return parseHostPort(text);
  const path = text.slice(UNIX.length);
  return path.startsWith("/") && !path.includes("\0") ? { path } : undefined;
}

/** Reads `http://host:port`, with or without a slash at its end, or `unix:/path`. */
export function parseHttpUrl(text: string): Endpoint | undefined {
  if (text.startsWith(UNIX)) return parseEndpoint(text);
  return text.startsWith(HTTP) ? parseHostPort(text.slice(HTTP.length).replace(/\/$/, "")) : undefined;
}

/** The form that `parseEndpoint` reads. */
export function formatEndpoint(endpoint: Endpoint): string {
  return "path" in endpoint ? `${UNIX}${endpoint.path}` : formatHostPort(endpoint);
}

/** The form that `parseHttpUrl` reads. */
export function formatHttpUrl(endpoint: Endpoint): string {
  return "path" in endpoint ? formatEndpoint(endpoint) : `${HTTP}${formatEndpoint(endpoint)}`;
}
