/** Local limits of federation: what each bounds, its unit, and what it may cost in memory. */

/** Requests of the homeserver under way at once: some 100 KB each, with its connection. */
export const OUTBOUND_REQUESTS_MAX = 1_000;
/** Bytes of a request's or an answer's head, and its fields: a signed Matrix request has about 15 fields and 2 KB. */
export const HEAD_BYTES_MAX = 32 * 1024;
export const HEAD_FIELDS_MAX = 64;
/** X-Matrix signatures of one request: a homeserver has one key, or two while it changes them. */
export const SIGNATURES_MAX = 4;
/** Bytes of a key response, of a question for several, and of their answer: these bodies alone are held whole. */
export const KEY_BODY_BYTES_MAX = 256 * 1024;

/** Time to the head of an answer, in ms: a homeserver may take ten minutes for the state of a large room, and says nothing meanwhile. */
export const HEAD_TIMEOUT_MS = 660_000;
/** Time without a byte of a body either way, in ms. */
export const IDLE_TIMEOUT_MS = 180_000;
/** Time of a whole exchange, in ms: what never ends must not hold its place for ever. */
export const EXCHANGE_TIMEOUT_MS = 3_600_000;
