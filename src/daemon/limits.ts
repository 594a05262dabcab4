/** Local limits of the daemon: what each bounds, its unit and what it may cost in memory. */

/** Bytes of one request on the control socket. */
export const CONTROL_LINE_BYTES_MAX = 16_384;
/** Bytes of one answer, as a client takes it: the status of a node with a thousand links is 300 kB. */
export const CONTROL_ANSWER_BYTES_MAX = 8 * 1024 * 1024;
/** Clients of the control socket at once. Worst case with a line and a chunk each: 3 MiB. */
export const CONTROL_CLIENTS_MAX = 32;
/** A control client that asks nothing for so long is cut, in ms. */
export const CONTROL_IDLE_MS = 60_000;

/** Routes that `show routes` tells, those needed last: 300 bytes each. */
export const SHOWN_ROUTES_MAX = 256;
/** Keys of each tree that `show table` names: 40 bytes each. */
export const SHOWN_KEYS_MAX = 1_024;
/** Nodes of the ball that `show balls` tells, the nearest: 120 bytes each. */
export const SHOWN_NODES_MAX = 256;
/** Neighbours that `trace --why` compares, the nearest. */
export const SHOWN_CHOICES_MAX = 8;

/** Connections to `/metrics` and `/healthz` at once. */
export const METRICS_CLIENTS_MAX = 16;
/** Bytes of a request's line and headers there. */
export const METRICS_HEADER_BYTES_MAX = 8_192;

/** Peers added by `pinyon peer add`, kept on disk: 300 bytes each, a dialer each. */
export const ADDED_PEERS_MAX = 256;
/** Neighbours on the LAN to which a link is dialled; more may dial us. A dialer each. */
export const DISCOVERED_PEERS_MAX = 16;
/** Locators kept on disk for the next start, the latest: 1,500 bytes each at most. */
export const KEPT_LOCATORS_MAX = 1_024;
/** Locators are written at most once in so long, in ms. */
export const KEEP_LOCATORS_MS = 30_000;

/** Ports tried, from the default one up, where nothing is configured and they are in use. */
export const DEFAULT_PORT_TRIES = 10;
/** At a stop, peers that do not answer the goodbye are left after so long, in ms: the whole takes three seconds at most. */
export const STOP_LINKS_MS = 2_000;
/** Warnings that `status` shows, the latest. */
export const WARNINGS_MAX = 20;
/** Changes of a tree's root that are kept, the latest: 100 bytes each. */
export const ROOT_CHANGES_KEPT = 16;
/** Changes of a root within so long of the first of them are one: a node that joins sees several better roots one after another. */
export const ROOT_UNREST_MS = 3_000;
/** Changes of a root are counted over so long, in ms, and more than so many are a warning. */
export const ROOT_WATCH_MS = 600_000;
export const ROOT_CHANGES_CALM = 3;
/** Dialers are looked at so often, in ms, beside each change. */
export const RECONCILE_MS = 1_000;
/** A notice to the service manager that is not taken in so long is given up, in ms. */
export const NOTICE_TIMEOUT_MS = 10_000;

/** Nodes and domains that `pinyon exit` and `pinyon gateway` may list beside the config file's, each way: 100 bytes each, kept on disk. */
export const LISTED_MAX = 1_000;
/** The config file is looked at so often, in ms, and read again once it has not changed for as long. */
export const CONFIG_LOOK_MS = 1_000;
/** Bytes of the journal of uses before the next one begins, and the time after which it does: some 80,000 uses, and as many in the one before. */
export const JOURNAL_BYTES_MAX = 16 * 1024 * 1024;
export const JOURNAL_MS = 30 * 24 * 3_600_000;
/** Uses that wait to be written down where the disk is slow: 250 bytes each. More are not, counted. */
export const JOURNAL_PENDING_MAX = 10_000;
/** Uses that a report tells, the latest: 300 bytes each. */
export const REPORTED_USES_MAX = 1_000;
/** Accounts that `pinyon gateway status` and `pinyon exit status` show, those that used most: 200 bytes each. */
export const SHOWN_ACCOUNTS_MAX = 256;
/** Days for which an invitation of a gateway may be good. */
export const INVITATION_DAYS_MAX = 365;
