import type { BackOff } from "./back-off.js";

/** Local limits of federation: what each bounds, its unit, and what it may cost in memory. */

/** Connections of the homeserver at once, and its requests under way: some 100 KB each. */
export const OUTBOUND_REQUESTS_MAX = 1_000;
/** Bytes of a body that wait to go on, at such a connection or in HTTP/2, before what they come from waits: 128 MB for all. */
export const BODY_WAITING_BYTES = 128 * 1024;
/**
 * Requests of other servers under way at once, each on a connection to the homeserver of its own: some 100 KB each, and 2 MiB where the
 * homeserver does not read. With fewer connections a few nodes whose requests never end would have others wait.
 */
export const INBOUND_REQUESTS_MAX = 1_000;
/**
 * Of the room that is left one node may have one part in so many: the 100 that HTTP/2 lets it ask at once where there is little to do.
 * Eleven nodes that take all they can leave a quarter; it takes some forty to leave nobody any.
 */
export const INBOUND_PARTS = 8;
/** Time after which a connection to the homeserver that carries nothing is closed, in ms. */
export const HOMESERVER_IDLE_MS = 10_000;
/** A homeserver that is down is looked for this often, in ms. */
export const HOMESERVER_POLL_MS = 1_000;
/** Bytes of a request's or an answer's head, and its fields: a signed Matrix request has about 15 fields and 2 KB. */
export const HEAD_BYTES_MAX = 32 * 1024;
export const HEAD_FIELDS_MAX = 64;
/** X-Matrix signatures of one request: a homeserver has one key, or two while it changes them. */
export const SIGNATURES_MAX = 4;
/** Bytes of a key response, of a question for several, and of their answer: these bodies alone are held whole. */
export const KEY_BODY_BYTES_MAX = 256 * 1024;

/** Bytes of a body that is passed in one piece where all of it came with its head: a transaction of 50 events may have more. */
export const WHOLE_BODY_BYTES_MAX = 16 * 1024;

/** Time to the head of an answer, in ms: a homeserver may take ten minutes for the state of a large room, and says nothing meanwhile. */
export const HEAD_TIMEOUT_MS = 660_000;
/** Time without a byte of a body either way, in ms. */
export const IDLE_TIMEOUT_MS = 180_000;
/** Time of a whole exchange, in ms: what never ends must not hold its place for ever. */
export const EXCHANGE_TIMEOUT_MS = 3_600_000;
/** Time of an exchange about keys, in ms: Synapse waits ten seconds for one, and what is kept must come before that. */
export const KEY_TIMEOUT_MS = 8_000;
/** The same where an answer for it is kept: an overlay answers within a second, or its server is away. */
export const KEPT_KEY_TIMEOUT_MS = 2_000;

/** Time until another node must have stated its name, in ms, once there is a session with it: that takes a round trip. */
export const NAME_TIMEOUT_MS = 10_000;

/** Levels of objects and lists in a JSON text that is read: a key response has three. */
export const JSON_DEPTH_MAX = 32;

/** Time to a request's head, in ms: from the start of a connection, or the end of its last exchange. A TLS handshake is part of it. */
export const REQUEST_HEAD_TIMEOUT_MS = 60_000;
/** Time for which a connection that is refused is still read, in ms, so that its sender sees why. */
export const LINGER_MS = 2_000;
/** Connections over `OUTBOUND_REQUESTS_MAX` that are told so at once; more are cut without a word. */
export const REFUSALS_MAX = 100;
/** Longest method of HTTP, in bytes: where none has ended by then, what follows is not looked at. */
export const METHOD_BYTES_MAX = 24;
/** Silence after which a probe of TCP finds out whether the homeserver's end of a connection still exists, in ms. */
export const TCP_PROBE_MS = 30_000;
/** Time without a byte in a tunnel to a classic server, in ms: no less than the wait for the head of an answer, which this node does not see. */
export const TUNNEL_IDLE_MS = HEAD_TIMEOUT_MS;
/** Bytes of what a TLS client begins with, and the time for it, in ms: 600 bytes, or 2 KB where it agrees on a key that no quantum computer breaks. */
export const CLIENT_HELLO_BYTES_MAX = 16 * 1024;
export const CLIENT_HELLO_TIMEOUT_MS = 10_000;
/** Certificates for tunnels that are kept, one a server: some 100 KB each. */
export const CERTIFICATES_MAX = 200;

/** Destinations of which it is known that they are away: 400 bytes each, 1.6 MB in all. The one asked for longest ago is forgotten. */
export const DESTINATIONS_MAX = 4_096;
/** After a failed try the next one waits, in ms: doubled with each, and up to half of it left out by chance. */
export const AWAY_BACK_OFF: BackOff = { firstMs: 1_000, maxMs: 30_000 };
/** While one request tries a destination that was away, the others are answered at once, for so long, in ms: a search and a handshake. */
export const AWAY_TRY_MS = 15_000;
/** A destination is away for good, and not for a hiccup of its route, after so long, in ms. */
export const OUTAGE_MS = 120_000;

/** Servers that are woken when this node is back, the latest it had to do with; kept on disk, 250 bytes each. */
export const RECENT_PEERS_MAX = 100;
/** Servers from which a wake-up is owed; kept on disk, 1 KB each in memory. A further one is not promised: its homeserver retries by itself. */
export const OWED_MAX = 512;
/** Nothing is owed any more by a server for which the homeserver was told nothing for so long, in ms: it retries a week apart at most. */
export const OWED_FOR_MS = 30 * 24 * 3_600_000;
/** A server that owes a wake-up is looked for so often, in ms. */
export const OWED_BACK_OFF: BackOff = { firstMs: 15_000, maxMs: 300_000 };
/** A wake-up that did not arrive goes again, in ms, and is given up after so many tries: the first link comes before the routes. */
export const WAKE_BACK_OFF: BackOff = { firstMs: 2_000, maxMs: 30_000 };
export const WAKE_TRIES_MAX = 5;
/**
 * Wake-ups, and what asks for them, begin this far apart, in ms. A hundred recent peers are woken in 20 s, 512 that owe are asked in 103 s;
 * with `WAKE_TIMEOUT_MS`, or two `KEY_TIMEOUT_MS`, and a handshake of 10 s no more than 130 of each are under way.
 */
export const WAKE_GAP_MS = 200;
/** Time for asking for a wake-up, in ms, beside that of a handshake. */
export const WAKE_TIMEOUT_MS = 15_000;
/** What nodes that return together begin with is spread over so long, in ms. */
export const WAKE_JITTER_MS = 2_000;
/** A peer that was woken is not woken again for so long, in ms, however often the only link comes and goes. */
export const WOKEN_FOR_MS = 30_000;
/** A wake-up that another node asks for is sent within so long, in ms. */
export const ASKED_JITTER_MS = 500;
/** One node may ask for one wake-up in so long, in ms, and all that are no recent peers for so many. 300 bytes each. */
export const ASKED_WINDOW_MS = 10_000;
export const ASKED_MAX = 100;
/**
 * These wake-ups begin this far apart, in ms: twenty a second, as many as may be asked for. With two `KEY_TIMEOUT_MS` and a
 * handshake of 10 s, 520 are under way where every one hangs.
 */
export const ASKED_GAP_MS = 50;
/** What is kept on disk is written at most so often, in ms: for a change of who is on the lists, and for one of their order alone. */
export const KEEP_CHANGE_MS = 1_000;
export const KEEP_ORDER_MS = 60_000;

if ((RECENT_PEERS_MAX + ASKED_MAX) * ASKED_GAP_MS > ASKED_WINDOW_MS) {
  throw new Error("wake-ups must leave as fast as they may be asked for");
}
/** Bytes of one server's key response: 500 with one key, 100 more for each old one. */
export const KEY_RESPONSE_BYTES_MAX = 16 * 1024;
/** Servers whose key response is kept: at most 160 MB on the disk, and 2 MB in memory for their names. */
export const KEY_FILES_MAX = 10_000;
/** How far ahead a key response is believed, in ms: what the specification allows, a week. */
export const KEY_VALIDITY_MAX_MS = 7 * 24 * 3_600_000;
