import { equalBytes } from "../wire/bytes.js";

/** A route replaces another where its round trip is shorter by a fifth and 2 ms, or is no longer than 11/10 and has fewer hops. */
const RTT_GAIN = 0.8;
const RTT_GAIN_JOINED = 0.97;
const RTT_GAIN_MS = 2;
const RTT_EQUAL = 1.1;

const NONE = new Uint16Array(0);

/** How a route came to be known, for people: a probe to a locator, by key in a tree, or by a detour; the map; the way of the peer's packets. */
export type FoundBy = "locator" | "tree 0" | "tree 1" | "tree 2" | "detour" | "map" | "packets";

/** When the routes to a key were used last, and when they are due to be measured and compared with others. For `Routes` alone. */
export class RouteUse {
  usedMs = Number.NEGATIVE_INFINITY;
  refreshAtMs = Number.POSITIVE_INFINITY;
  relocateAtMs = Number.POSITIVE_INFINITY;
}

/** A way to a key. Bulk goes by confirmed routes only. */
export class Route {
  /** The destination answered a probe of this route, and nobody said since that it does not lead on. */
  isConfirmed = false;
  /** A relay said that it ends there, which is said once a route id: it is never confirmed again, but found anew. */
  isBroken = false;
  /** Something is not answered: the next route that a probe confirms, this one or another, is the one to be used. */
  isDoubted = false;
  /** Smoothed round-trip time of the probes; 0 while unconfirmed. */
  rttMs = 0;
  /** When a probe was last answered. */
  measuredMs = Number.NEGATIVE_INFINITY;
  /** The ports from the destination to this node, the destination's own first; empty while unconfirmed. */
  back: Uint16Array = NONE;

  constructor(
    readonly key: Uint8Array,
    /** The ports from this node to the destination, our own first. */
    readonly ports: Uint16Array,
    /** The random name that DATA carries and ROUTE_BROKEN gives back. */
    readonly routeId: Uint8Array,
    /** Shared by the routes to a key. */
    readonly use: RouteUse,
    readonly foundBy: FoundBy,
  ) {}

  hasId(routeId: Uint8Array): boolean {
    return equalBytes(this.routeId, routeId);
  }
}

/** True where a measured way is worth a change of route. The map is looked at seldom, so that a smaller gain is worth it there. */
export function isBetter(candidate: { ports: Uint16Array; rttMs: number }, route: Route, kind: string): boolean {
  const gain = kind === "offer" ? RTT_GAIN_JOINED : RTT_GAIN;
  if (candidate.rttMs + RTT_GAIN_MS < gain * route.rttMs) return true;
  return candidate.ports.length < route.ports.length && candidate.rttMs <= RTT_EQUAL * route.rttMs;
}

/**
 * The routes of `others` to be kept beside `best`, at most `count`: those that nothing speaks against, that share the least with it, and
 * are the shortest. Ports tell of both ends only: from where two routes part, equal numbers are of other nodes. `sharedNodes` is what
 * the map knows.
 */
export function chooseSpares(
  best: Route,
  others: readonly Route[],
  count: number,
  sharedNodes: (a: Uint16Array, b: Uint16Array) => number,
): Route[] {
  const costs = others.map((route) => {
    const sharedLinks = sharedPrefix(best.ports, route.ports) + sharedPrefix(best.back, route.back);
    const shared = Math.max(sharedLinks, sharedNodes(best.ports, route.ports));
    return { route, cost: (route.isDoubted ? 1e9 : 0) + 1e6 * shared + route.rttMs };
  });
  const usable = costs.filter(({ route }) => route.isConfirmed).sort((a, b) => a.cost - b.cost);
  return usable.slice(0, count).map(({ route }) => route);
}

function sharedPrefix(a: Uint16Array, b: Uint16Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}
