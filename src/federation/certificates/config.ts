import type { BackOff } from "../back-off.js";

/** Local limits of what this node shows to classic servers. */

/** The files of a certificate are read again after so long, in ms, when a connection comes: a renewed one is shown without a restart. */
export const CERTIFICATE_KEPT_MS = 60_000;
/** They are also read this often, in ms, without a connection, and looked at whether the certificate ends soon. */
export const CERTIFICATE_WATCH_MS = 3_600_000;
/** A certificate ends soon from so many days before its end on, or from the last sixth of its life where that is shorter. */
export const CERTIFICATE_SOON_DAYS = 14;
export const CERTIFICATE_SOON_PART = 6;
/** That is said once in so long, in ms. */
export const CERTIFICATE_WARN_MS = 86_400_000;

/** Time of one request to a certificate authority, and bytes of its answer: a chain of certificates has some 6 KB. */
export const ACME_REQUEST_TIMEOUT_MS = 30_000;
export const ACME_ANSWER_BYTES_MAX = 256 * 1024;
/** Time of all that one certificate takes, in ms: the authority looks from several places, and DNS may be slow to change. */
export const ACME_TIMEOUT_MS = 900_000;
/** The authority is asked what came of a challenge so often at most, and at first and at most so long after the last time, in ms. */
export const ACME_POLLS_MAX = 40;
export const ACME_POLL_MS = { firstMs: 500, maxMs: 10_000 } as const;
/**
 * After a failure the next try waits, in ms. Let's Encrypt takes five failures of a name in an hour: tries begin at 0, 2.5, 7.5, 17.5 and
 * 37.5 minutes at the earliest, then after more than an hour.
 */
export const ACME_BACK_OFF: BackOff = { firstMs: 300_000, maxMs: 86_400_000 };
/** A certificate is renewed when this part of its life is over. */
export const RENEW_PART = 2 / 3;
/** After the first link, in ms, the gateways can reach this node. */
export const ACME_LINKED_MS = 10_000;
/** Time of the command that changes the DNS, in ms, and bytes of what it says that are told where it fails. */
export const HOOK_TIMEOUT_MS = 300_000;
export const HOOK_SAID_BYTES_MAX = 500;
