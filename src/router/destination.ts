import type { Budget } from "../wire/budget.js";
import { equalPorts } from "./ports.js";
import type { Inquiry } from "./probes.js";
import { type Route, RouteUse } from "./route.js";

/** What is known of the way to a key. */
export interface Destination {
  readonly key: Uint8Array;
  /** True until this node wants to reach the key itself. */
  isForeign: boolean;
  readonly use: RouteUse;
  /** The one in use, then spares, which are confirmed. */
  routes: Route[];
  /** The way back of the peer's newest packet. */
  hint: Uint16Array | undefined;
  /** What was given up, and until when another route is preferred to it: a relay may let probes pass and drop the rest. */
  shunned: Uint16Array | undefined;
  shunnedUntilMs: number;
  find: Inquiry | undefined;
  check: Inquiry | undefined;
  /** Probes of routes that are not in use. */
  spares: Inquiry | undefined;
  /** Probes of routes that the map has. */
  offer: Inquiry | undefined;
  relocate: Inquiry | undefined;
  /** Probes because a route was reported broken or the peer took another way. */
  readonly reports: Budget;
  unreachableUntilMs: number;
}

export function newDestination(key: Uint8Array, reports: Budget): Destination {
  return {
    key,
    isForeign: true,
    use: new RouteUse(),
    routes: [],
    hint: undefined,
    shunned: undefined,
    shunnedUntilMs: Number.NEGATIVE_INFINITY,
    find: undefined,
    check: undefined,
    spares: undefined,
    offer: undefined,
    relocate: undefined,
    reports,
    unreachableUntilMs: Number.NEGATIVE_INFINITY,
  };
}

/** The first spare that nothing speaks against. */
export function spareOf(destination: Destination): Route | undefined {
  return destination.routes.find(({ isConfirmed, isDoubted }, i) => i > 0 && isConfirmed && !isDoubted);
}

export function isShunned(destination: Destination, ports: Uint16Array, nowMs: number): boolean {
  const { shunned, shunnedUntilMs } = destination;
  return nowMs < shunnedUntilMs && shunned !== undefined && equalPorts(shunned, ports);
}
