/** Local limits of bindings of classic names to nodes: what each bounds, its unit, and what it may cost in memory. */

/** Names whose node is remembered, in memory and on disk: 700 bytes each. The one used longest ago is forgotten, of those that nobody put in by hand. */
export const BINDINGS_MAX = 1_024;
/** Longest time for which a statement may be good, in ms: 400 days. */
export const STATEMENT_VALID_MAX_MS = 400 * 24 * 3_600_000;
/** The time for which a node's own statement is good where nothing else is said, in days. */
export const STATEMENT_DAYS = 365;
/** A statement of a clock that is ahead of ours by so much is taken, in ms. */
export const CLOCK_SKEW_MS = 10 * 60_000;
/** A binding holds for so long after it was last seen under its name, in ms: its host may be away for a while. */
export const PIN_FOR_MS = 30 * 24 * 3_600_000;
/** A binding that is in use is looked at again after so long, in ms, and after a look that said nothing. */
export const REFRESH_MS = 24 * 3_600_000;
export const REFRESH_GAP_MS = 3_600_000;
/** What a node claims is checked against what its name says now, or said so long ago at most, in ms: a name is asked for once in that time. */
export const CLAIM_AGE_MS = 60_000;
/** Claims that are being checked at once: a lookup each, some 100 KB. */
export const CLAIMS_MAX = 64;

if (PIN_FOR_MS <= REFRESH_MS) throw new Error("a binding must be looked at again before it ends");
