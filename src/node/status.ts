import type { PathStats } from "../router/path-stats.js";
import type { Router } from "../router/router.js";
import type { RouterStats } from "../router/stats.js";
import type { SessionState } from "../session/codes.js";
import type { Endpoint } from "../session/endpoint.js";
import type { EndpointStats, SessionStats } from "../session/stats.js";
import type { LinkUse } from "./keep-alive.js";
import type { Links } from "./links.js";
import type { Ports } from "./ports.js";
import type { Requests } from "./requests.js";
import type { LinkStats } from "./stats.js";

/** A neighbour, and the link to it. Keys are in binary form, times in milliseconds of the node's clock. */
export interface LinkStatus {
  readonly link: number;
  readonly port: number;
  readonly key: Uint8Array;
  readonly leaf: boolean;
  readonly dialled: boolean;
  readonly upMs: number;
  readonly rttMs: number;
  readonly rttVarMs: number;
  readonly use: LinkUse;
}

/** This node's place in one tree. */
export interface TreeStatus {
  /** Undefined where the node has no place. */
  readonly root: Uint8Array | undefined;
  readonly coordinates: readonly number[] | undefined;
  /** 0 at the root. */
  readonly parentPort: number;
  /** Keys known below this node. */
  readonly tableSize: number;
}

export interface SessionStatus {
  readonly key: Uint8Array;
  readonly state: SessionState;
  readonly initiator: boolean;
  readonly rttMs: number;
  /** Ports from here to the key; undefined where no route is known now. */
  readonly route: Uint16Array | undefined;
  readonly stats: SessionStats;
}

/** What a node is and does at one moment, in plain values. Counters only grow. */
export interface NodeStatus {
  readonly key: Uint8Array;
  readonly links: readonly LinkStatus[];
  /** Links whose hello is not complete. */
  readonly linksInHello: number;
  /** Port numbers in use or at rest. */
  readonly ports: number;
  readonly trees: readonly TreeStatus[];
  readonly sessions: readonly SessionStatus[];
  readonly sessionsHalfOpen: number;
  /** Pings, traces and look-ups under way, and those that were refused. */
  readonly requests: number;
  readonly requestsRefused: number;
  readonly counters: {
    readonly links: LinkStats;
    readonly router: RouterStats;
    readonly paths: PathStats;
    readonly sessions: EndpointStats;
  };
}

/** The parts of a node that its status is read from. */
export interface StatusParts {
  readonly key: Uint8Array;
  readonly links: Links;
  readonly ports: Ports;
  readonly router: Router;
  readonly endpoint: Endpoint;
  readonly requests: Requests;
  readonly linkStats: LinkStats;
}

export function statusOf({ key, links, ports, router, endpoint, requests, linkStats }: StatusParts): NodeStatus {
  const tableSizes = router.tableSizes();
  return {
    key,
    links: [...links.established()].map((link) => {
      const { who, keepAlive, upMs } = link.established!;
      const { rttMs, rttVarMs, use } = keepAlive;
      const common = { link: link.number, dialled: link.dialled, upMs, rttMs, rttVarMs, use };
      return { ...common, port: who.port.number, key: who.key, leaf: who.leaf };
    }),
    linksInHello: links.inHello,
    ports: ports.size,
    trees: router.trees.map(({ rootKey, position, parentPort }, tree) => {
      return { root: rootKey, coordinates: position?.coordinates, parentPort, tableSize: tableSizes[tree]! };
    }),
    sessions: [...endpoint.sessions].map(({ remoteKey, state, initiator, rttMs, stats }) => {
      return { key: remoteKey, state, initiator, rttMs, route: router.route(remoteKey)?.ports, stats };
    }),
    sessionsHalfOpen: endpoint.halfOpenCount,
    requests: requests.size,
    requestsRefused: requests.refused,
    counters: { links: linkStats, router: router.stats, paths: router.paths.stats, sessions: endpoint.stats },
  };
}
