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
