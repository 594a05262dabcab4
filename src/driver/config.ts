import { SESSION_DEFAULTS } from "../session/config.js";

/** Local limits of the driver: what each bounds, its unit and what it may cost in memory. */

/** A timer that fires more than this late, in ms, tells of a stall: what came in is handled first. */
export const STALL_MS = 1_000;

/**
 * Bytes that a SessionStream holds each way beside the session's own buffers: one DATA frame of HTTP/2. More would only wait here,
 * where no small request can pass it and no window counts it.
 */
export const STREAM_AHEAD_BYTES = 16 * 1024;

/** Requests that are served at once, each way: a peer's further ones wait at the peer. */
export const REQUESTS_MAX = 100;
/** Requests to one peer that are served or wait. */
export const REQUESTS_OPEN_MAX = 400;
/** Megabytes that HTTP/2 holds of headers and of bodies not yet sent: `REQUESTS_OPEN_MAX` times 80 KB; a peer can fill a quarter. */
export const HTTP_MEMORY_MB_MAX = 32;
/**
 * Bytes of one body that are taken before its reader takes them: 20 MB/s at a round trip of 100 ms. The platform tells its window again
 * when half of it is free, so half of it is what keeps five processes busy at once on two cores. A peer whose requests are not read costs
 * `REQUESTS_MAX` times this, 200 MiB.
 */
export const BODY_AHEAD_BYTES = 2 * 1024 * 1024;
/**
 * Bytes of all bodies together that the other node may send ahead: 40 MB/s at a round trip of 100 ms. HTTP/2 counts them as read on
 * arrival, so they cost no memory of their own. The platform reads nothing while a write of its own waits: were this more than the
 * session's window takes in, both nodes could wait for each other for ever. (Seen with 16 MiB and 20 bodies each way.)
 */
export const CONNECTION_AHEAD_BYTES = 4 * 1024 * 1024;
/** Bytes of HTTP/2 that no window of its own bounds: headers, resets, windows. */
const UNBOUNDED_BYTES = 1024 * 1024;
/** Bytes of a request's or response's header, and its fields: a signed Matrix request has about 15 fields and 2 KB. */
export const HEADER_BYTES_MAX = 32 * 1024;
export const HEADER_FIELDS_MAX = 64;

/** While a request is open the other node is pinged this often, in ms: 100 bytes each way. */
export const ALIVE_PING_MS = 10_000;

// A session tells its window again when a quarter of it is free: three quarters are open in any case.
if (CONNECTION_AHEAD_BYTES + UNBOUNDED_BYTES > 0.75 * SESSION_DEFAULTS.receiveWindowBytes) {
  throw new Error("the window of a session must take in what HTTP/2 may send ahead");
}
