/**
 * Why a link is refused or closed: told to the peer as WebSocket close code 4000 + code, with the text as reason.
 * Numbers are never used twice. PROTOCOL.md has the same table; a test holds them equal.
 */
export const CloseCode = {
  /** The node stops or the operator removed the peer. */
  SHUTDOWN: 0,
  VERSION: 1,
  NETWORK: 2,
  SECRET: 3,
  KEY_MISMATCH: 4,
  NOT_ALLOWED: 5,
  SELF: 6,
  SIGNATURE: 7,
  STALE_EPOCH: 8,
  DUPLICATE: 9,
  MALFORMED: 10,
  NON_CANONICAL: 11,
  OVERSIZE: 12,
  UNEXPECTED: 13,
  HELLO_TIMEOUT: 14,
  DEAD: 15,
  BAD_EDGE: 16,
  BUSY: 17,
  SLOW: 18,
  FLOOD: 19,
  ADDRESS: 20,
} as const;
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

/** What each close code says to a person: what happened and what was expected. */
export const CLOSE_TEXT: Record<CloseCode, string> = {
  [CloseCode.SHUTDOWN]: "the node closed the link on purpose",
  [CloseCode.VERSION]: "the protocol versions differ: update the older node",
  [CloseCode.NETWORK]: "the network ids differ: set the same `network.id` on both nodes",
  [CloseCode.SECRET]: "the pre-shared secret is wrong: set the same `network.secret` on both nodes",
  [CloseCode.KEY_MISMATCH]: "the peer's key is not the one that was pinned",
  [CloseCode.NOT_ALLOWED]: "the peer's key is not in the allow-list",
  [CloseCode.SELF]: "the node reached itself",
  [CloseCode.SIGNATURE]: "a signature of the hello is invalid",
  [CloseCode.STALE_EPOCH]: "the link epoch is not above the last one of this pair",
  [CloseCode.DUPLICATE]: "another link to the same node is kept",
  [CloseCode.MALFORMED]: "a frame does not have its layout",
  [CloseCode.NON_CANONICAL]: "a frame is not in its one canonical encoding",
  [CloseCode.OVERSIZE]: "a frame is larger than its limit",
  [CloseCode.UNEXPECTED]: "a frame came where it is not allowed",
  [CloseCode.HELLO_TIMEOUT]: "the hello was not complete in time",
  [CloseCode.DEAD]: "the peer did not answer a ping",
  [CloseCode.BAD_EDGE]: "a tree edge, heartbeat or registration carries an invalid signature",
  [CloseCode.BUSY]: "the node has no room for another link",
  [CloseCode.SLOW]: "the peer does not read what it is sent",
  [CloseCode.FLOOD]: "the peer sent more than its budget",
  [CloseCode.ADDRESS]: "the source address is not admitted: set `listen` on that node to admit it",
};

/**
 * Why a frame went no further: the return value of the router's forwarding, the label of `pinyon_router_drops_total`,
 * the simulator's column. Egress ports are positive, 0 is delivery to the node itself, drops are negative.
 */
export const DropReason = {
  /** A frame does not have its layout. */
  MALFORMED: -1,
  /** The hop counter reached `HOP_LIMIT`. */
  HOP_LIMIT: -2,
  /** A source route leads back out of the port it came in by. */
  IN_EQUALS_OUT: -3,
  /** A source route has more than `ROUTE_HOPS_MAX` ports, or its index lies outside. */
  ROUTE_LENGTH: -4,
  /** No tree leads on to the key. */
  NO_WAY: -5,
  /** A probe by locator met no peer nearer to its target. */
  NOT_NEARER: -6,
  /** A probe or reply on a source route whose next port has no link. */
  NO_LINK: -7,
  /** The outgoing queue has no room. */
  QUEUE_FULL: -8,
  /** The ingress spent its budget of probes. */
  PROBE_RATE: -9,
  /** The node spent its budget of signatures for probe replies. */
  SIGN_RATE: -10,
  /** A source-routed frame ended at a node that is not its destination, and may not fall back. */
  WRONG_NODE: -11,
  /** A probe reply or a route-broken report that belongs to nothing asked here. */
  UNASKED: -12,
  /** The link went down while the frame was queued for it. */
  LINK_DOWN: -13,
  /** The sender sends to itself. */
  SELF: -14,
} as const;
export type DropReason = (typeof DropReason)[keyof typeof DropReason];

const DROP_NAMES = Object.entries(DropReason).map(([name, value]) => [value, name.toLowerCase()] as const);
/** The label of a drop reason in metrics, logs and the simulator, in lower case. */
export const DROP_LABEL: ReadonlyMap<number, string> = new Map(DROP_NAMES);
/** How many drop reasons there are, numbered −1 to −count: an array of counters indexed by `-reason` has one element more. */
export const DROP_REASON_COUNT = DROP_NAMES.length;
