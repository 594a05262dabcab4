import { FRAME_BYTES_MAX } from "../wire/limits.js";

/**
 * Local limits of links, with what each costs at worst. They bind this node alone: peers may have others.
 * Every one has a counter in `stats.ts` that moves when it is hit.
 */

export interface LinkLimits {
  /** Bytes waiting for the socket from which on `send` gives false. Worst case a link: twice 128 KiB, and 4 MiB of received chunks. */
  readonly sendHighBytes: number;
  /** Bytes waiting for the socket at which the link is closed, because its sender heeds no false. Worst case a link. */
  readonly sendBytesMax: number;
  /** A full link of which the socket took nothing for so long is closed. It means that a link of less than 2 kB/s is none. */
  readonly stallTimeoutMs: number;
  /** WebSocket pings and pongs a second that a peer may send; links use neither, proxies do. */
  readonly pingsPerSecond: number;
  /** Pings and pongs that may come at once. */
  readonly pingBurst: number;
}

export const LINK_LIMITS: LinkLimits = {
  sendHighBytes: 64 * 1024,
  sendBytesMax: 1024 * 1024,
  stallTimeoutMs: 30_000,
  pingsPerSecond: 2,
  pingBurst: 20,
};

/** What `ws` is told, at both ends. Its own bounds close the link with one of our codes (`websocket.ts`). */
export const SOCKET_OPTIONS = {
  perMessageDeflate: false,
  /** Bytes of a message, refused when its length is read, before anything is allocated for it. */
  maxPayload: FRAME_BYTES_MAX,
  /** WebSocket fragments a message: a node sends one, a proxy may cut. Worst case a link: 128 buffers of `maxPayload` in all. */
  maxFragments: 128,
  /** TCP chunks that hold one unfinished message: 62,464 bytes in segments of 536 are 117. Worst case a link: 200 kB of overhead. */
  maxBufferedChunks: 1_024,
  /** The link answers pings itself, within its budget. */
  autoPong: false,
  /** Milliseconds that the other end has to answer a close and to read what was sent before it; then the socket is cut. */
  closeTimeout: 3_000,
} as const;

export interface ListenerLimits {
  /** Links in all. Worst case: 1,024 × `sendBytesMax`, where every peer stops reading and every sender heeds no false. */
  readonly linksMax: number;
  /** Links from one source: an IPv4 address or an IPv6 /64. Behind a reverse proxy all come from one. */
  readonly linksPerSourceMax: number;
  /** Connections that are not links yet. One more cuts the oldest, so slow clients never keep others out. Worst case 100 kB each. */
  readonly waitingMax: number;
  /** The same from one source. */
  readonly waitingPerSourceMax: number;
  /** From accept to link, TLS and upgrade together, however busy the client keeps the line. */
  readonly upgradeTimeoutMs: number;
  /** Bytes of a request's first line and headers. */
  readonly headerBytesMax: number;
  /** Refused connections a second that are let through to the upgrade to be told why; the others are cut at accept. */
  readonly refusalsToldPerSecond: number;
}

export const LISTENER_LIMITS: ListenerLimits = {
  linksMax: 1_024,
  linksPerSourceMax: 128,
  waitingMax: 256,
  waitingPerSourceMax: 64,
  upgradeTimeoutMs: 10_000,
  headerBytesMax: 8 * 1024,
  refusalsToldPerSecond: 2,
};

export interface DialerLimits {
  /** From the name look-up to the link, TLS and upgrade together. */
  readonly dialTimeoutMs: number;
  /** Wait after the first failure; each further one doubles it. */
  readonly backoffFirstMs: number;
  /** Longest wait where the peer URI sets none (`maxbackoff`). */
  readonly backoffMaxMs: number;
  /** A link that lived so long begins the backoff anew. */
  readonly provenMs: number;
  /** Bytes of an answer's first line and headers. */
  readonly headerBytesMax: number;
}

export const DIALER_LIMITS: DialerLimits = {
  dialTimeoutMs: 10_000,
  backoffFirstMs: 1_000,
  backoffMaxMs: 300_000,
  provenMs: 30_000,
  headerBytesMax: 8 * 1024,
};

export interface DiscoveryLimits {
  /** Sockets: one an interface and address family. Worst case 20 kB each. */
  readonly socketsMax: number;
  /** Neighbours remembered, least recently heard forgotten first. Worst case 1 kB each. */
  readonly neighboursMax: number;
  /** Addresses of one neighbour. */
  readonly addressesMax: number;
  /** A neighbour is reported at most once in so long, unless it said goodbye or its place changed. */
  readonly reportIntervalMs: number;
  /** Reports a second, whoever is reported: keys cost an attacker nothing. */
  readonly reportsPerSecond: number;
  /** Reports that may come at once. */
  readonly reportBurst: number;
  /** Wait from the first query to the second; each further one doubles it. */
  readonly queryFirstMs: number;
  /** Longest wait between two queries. */
  readonly queryMaxMs: number;
  /** Own records are sent at most once in so long on each socket (RFC 6762, 6). */
  readonly answerIntervalMs: number;
  /** How often interfaces are looked at, and sockets that failed opened again. */
  readonly interfacesIntervalMs: number;
}

export const DISCOVERY_LIMITS: DiscoveryLimits = {
  socketsMax: 16,
  neighboursMax: 256,
  addressesMax: 8,
  reportIntervalMs: 60_000,
  reportsPerSecond: 2,
  reportBurst: 32,
  queryFirstMs: 1_000,
  queryMaxMs: 20 * 60_000,
  answerIntervalMs: 1_000,
  interfacesIntervalMs: 15_000,
};

/** Of two neighbours on a LAN the one with the smaller key dials at once, the other after so long without a link. */
export const SECOND_DIAL_MS = 5_000;

if (LINK_LIMITS.sendBytesMax < LINK_LIMITS.sendHighBytes + FRAME_BYTES_MAX) {
  throw new Error("sendBytesMax leaves no room for the frame that makes a link full");
}
