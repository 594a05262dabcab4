import type { BackOff } from "../back-off.js";

/** Local limits of exits, both of one that lets others out and of those who use it. */

/** Time without a byte in a stream through an exit, in ms: no less than the wait for the head of an answer, which the exit does not see. */
export const EXIT_IDLE_MS = 660_000;
/** SRV records that an exit passes on for one name. */
export const EXIT_SERVICES_MAX = 20;
/** Bytes of its answer. */
export const EXIT_ANSWER_BYTES_MAX = 16 * 1024;
/** Time for an exit to look up and connect, in ms, the way there and back among it. */
export const EXIT_TIMEOUT_MS = 20_000;
/**
 * While streams by an exit are open it is asked for a sign of life this often, in ms; one that gave none for so long is given up, where
 * there is another. The way to it may be lost for some seconds without that, and its session waits for a minute.
 */
export const EXIT_WATCH_MS = 3_000;
export const EXIT_SILENCE_MS = 9_000;
/** Exits that were not heard of are asked so often, in ms, whether they let this node out: a request of 100 bytes each. */
export const EXIT_PROBE_MS = 60_000;
/** They are, for so long after the last use of one, in ms: an idle node asks nobody. */
export const EXIT_PROBED_FOR_MS = 600_000;
/** One that could not be reached, or had no room, comes last until it says that it would, and is asked again after so long, in ms. */
export const EXIT_BACK_OFF: BackOff = { firstMs: 5_000, maxMs: 300_000 };
/** Keys that a list of the config may name. */
export const EXIT_KEYS_MAX = 1_000;
/** Keys whose use of an exit is counted, those on its list: 200 bytes each. */
export const EXIT_ACCOUNTS_MAX = 3_000;
