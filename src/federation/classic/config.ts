import type { BackOff } from "../back-off.js";

/** Local limits of the way to classic servers: what each bounds, its unit, and what it may cost in memory. */

/**
 * Requests to classic servers at once, of the `OUTBOUND_REQUESTS_MAX` in all: a large room has thousands of servers that are gone, and
 * what waits for them must leave room for the overlay.
 */
export const CLASSIC_REQUESTS_MAX = 500;
/** Time after which a connection to a classic server that carries nothing is closed, in ms; and how many such are kept: some 60 KB each. */
export const CLASSIC_IDLE_MS = 10_000;
export const CLASSIC_IDLE_MAX = 200;

/** Time for one query of DNS, in ms, and how often it is sent. */
export const DNS_TIMEOUT_MS = 2_500;
export const DNS_TRIES = 2;
/** Addresses of one host that are tried, and the services that stand for one name (SRV records). */
export const ADDRESSES_MAX = 6;
export const SERVICES_MAX = 4;
/** The next address of a host is tried beside the one before after so long, in ms (RFC 8305, section 5). */
export const CONNECT_GAP_MS = 250;
/** Time for a TCP connection to one of the addresses of a host, in ms. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** Time for a TLS handshake, in ms. */
export const TLS_TIMEOUT_MS = 10_000;
/** Time until a connection to a server stands, in ms, whatever must be looked up and tried: Synapse waits for a minute. */
export const OPEN_TIMEOUT_MS = 30_000;

/** Time to find what stands under a well-known address, redirects and all, in ms. */
export const WELL_KNOWN_TIMEOUT_MS = 15_000;
/** Bytes of it: the answer has some fifty, a page that stands there by mistake may have more. */
export const WELL_KNOWN_BYTES_MAX = 50 * 1024;
/** Redirects that are followed. */
export const WELL_KNOWN_REDIRECTS_MAX = 5;
/** How long an answer holds, in ms, where it says nothing, and the least and the most (server-server API, "Resolving server names"). */
export const WELL_KNOWN_DEFAULT_MS = 24 * 3_600_000;
export const WELL_KNOWN_MIN_MS = 5 * 60_000;
export const WELL_KNOWN_MAX_MS = 48 * 3_600_000;
/** Where there is none, or a broken one, it is looked for again after so long, in ms: an hour at most, says the specification. */
export const WELL_KNOWN_BACK_OFF: BackOff = { firstMs: 2 * 60_000, maxMs: 3_600_000 };
/** Bytes of what binds a name to a node, in it: 500 for the longest name. */
export const NODE_BYTES_MAX = 1_024;
/** Names of which it is known what stands there: 400 bytes each, 3 MB in all, and 1 KB more for one that is bound to a node. The one asked for longest ago is forgotten. */
export const WELL_KNOWN_NAMES_MAX = 8_192;
