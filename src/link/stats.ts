/** Counters of the folder: plain numbers that only grow, for the daemon to read. */

/** What links refused; shared by all links of a listener or dialer. */
export interface LinkStats {
  /** Text messages: links are binary. */
  textMessages: number;
  /** Messages longer than a frame may be. */
  oversizeMessages: number;
  /** Breaches of RFC 6455 by the other end. */
  malformedMessages: number;
  /** Messages in too many fragments or chunks. */
  fragmentBombs: number;
  /** Links closed for too many WebSocket pings and pongs. */
  pingFloods: number;
  /** Links closed because the other end read nothing. */
  stalls: number;
  /** Links closed because their sender went on while they were full. */
  overflows: number;
}

export function newLinkStats(): LinkStats {
  return {
    textMessages: 0,
    oversizeMessages: 0,
    malformedMessages: 0,
    fragmentBombs: 0,
    pingFloods: 0,
    stalls: 0,
    overflows: 0,
  };
}

export interface ListenerStats {
  accepted: number;
  links: number;
  /** Connections from addresses that are not admitted. */
  addressRefusals: number;
  /** Connections for which there was no room, in all or for their source. */
  busyRefusals: number;
  /** Of both kinds, those told by a close code. */
  refusalsTold: number;
  /** Connections cut to make room for newer ones. */
  waitingEvictions: number;
  /** Connections that were no link in time. */
  upgradeTimeouts: number;
  /** TLS handshakes that failed. */
  tlsFailures: number;
  /** Requests with too long headers. */
  headerOverflows: number;
  /** Requests that are not HTTP, or not a proper upgrade. */
  badRequests: number;
  /** Plain requests, answered by a text. */
  plainRequests: number;
  /** Upgrades asked by a web page. */
  originRefusals: number;
  /** Errors of the operating system at accept. */
  acceptErrors: number;
}

export function newListenerStats(): ListenerStats {
  return {
    accepted: 0,
    links: 0,
    addressRefusals: 0,
    busyRefusals: 0,
    refusalsTold: 0,
    waitingEvictions: 0,
    upgradeTimeouts: 0,
    tlsFailures: 0,
    headerOverflows: 0,
    badRequests: 0,
    plainRequests: 0,
    originRefusals: 0,
    acceptErrors: 0,
  };
}

export interface DialerStats {
  dials: number;
  links: number;
  failures: number;
  /** Failures because the certificate shows another key than the pinned ones. */
  keyMismatches: number;
}

export function newDialerStats(): DialerStats {
  return { dials: 0, links: 0, failures: 0, keyMismatches: 0 };
}

export interface DiscoveryStats {
  queriesSent: number;
  answersSent: number;
  /** Messages that are no DNS or whose records make no neighbour. */
  garbage: number;
  /** Messages from outside the subnets of this host. */
  foreignSenders: number;
  /** Neighbours of other networks. */
  otherNetworks: number;
  reports: number;
  /** Reports held back by their rate. */
  reportsHeld: number;
  /** Neighbours forgotten for newer ones. */
  neighbourEvictions: number;
  /** Interfaces left out because there were too many. */
  socketsRefused: number;
  socketErrors: number;
}

export function newDiscoveryStats(): DiscoveryStats {
  return {
    queriesSent: 0,
    answersSent: 0,
    garbage: 0,
    foreignSenders: 0,
    otherNetworks: 0,
    reports: 0,
    reportsHeld: 0,
    neighbourEvictions: 0,
    socketsRefused: 0,
    socketErrors: 0,
  };
}
