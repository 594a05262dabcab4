import type { LRUCache } from "lru-cache";
import type { RandomBytes } from "../crypto/crypto.js";
import { Budget } from "../wire/budget.js";
import { equalBytes, toHex } from "../wire/bytes.js";
import { ROUTE_HOPS_MAX } from "../wire/limits.js";
import type { Locators } from "./locators.js";
import { createLru } from "./lru.js";
import type { PathConfig } from "./path-config.js";
import type { PathStats } from "./path-stats.js";
import { equalPorts } from "./ports.js";
import type { Answer, Inquiry, Probes } from "./probes.js";

/** A route replaces another where its round trip is shorter by a fifth and 2 ms, or is no longer than 11/10 and has fewer hops. */
const RTT_GAIN = 0.8;
const RTT_GAIN_MS = 2;
const RTT_EQUAL = 1.1;

/** Routes are looked through for what is due no more often than this: there may be thousands. */
const LOOK_GAP_MS = 100;

/** A way to a key. Bulk goes by confirmed routes only. */
export class Route {
  /** The destination answered a probe of this route, and nothing has spoken against it since. */
  isConfirmed = false;
  /** A relay said that it ends there, which is said once a route id: it is never confirmed again, but found anew. */
  isBroken = false;
  /** Smoothed round-trip time of the probes; 0 while unconfirmed. */
  rttMs = 0;
  /** When a probe was last answered, when data was last sent, and when the next probes are due. For `Routes` alone. */
  measuredMs = Number.NEGATIVE_INFINITY;
  usedMs = Number.NEGATIVE_INFINITY;
  refreshAtMs = Number.POSITIVE_INFINITY;
  relocateAtMs = Number.POSITIVE_INFINITY;

  constructor(
    readonly key: Uint8Array,
    /** The ports from this node to the destination, our own first. */
    readonly ports: Uint16Array,
    /** The random name that DATA carries and ROUTE_BROKEN gives back. */
    readonly routeId: Uint8Array,
  ) {}
}

export type RouteEvent =
  /** The route to be used from now on; the first, a better one, or one that is confirmed now. */
  | { readonly type: "route"; readonly key: Uint8Array; readonly route: Route }
  /** A search found no way. */
  | { readonly type: "unreachable"; readonly key: Uint8Array };

/** What is known of the way to a key. */
interface Destination {
  readonly key: Uint8Array;
  /** True until this node wants to reach the key itself. */
  isForeign: boolean;
  /** Best first. */
  routes: Route[];
  find: Inquiry | undefined;
  check: Inquiry | undefined;
  relocate: Inquiry | undefined;
  /** Searches because a route was reported broken. */
  readonly reports: Budget;
  unreachableUntilMs: number;
}

/** The routes of this node: finds, confirms, measures and replaces them. The least recently needed destination is forgotten first. */
export class Routes {
  readonly #destinations: LRUCache<string, Destination>;
  /** By the id of a route that it has now. */
  readonly #byRouteId = new Map<string, Destination>();
  readonly #events: RouteEvent[] = [];
  /** No refresh is due earlier. */
  #nextMs = Number.POSITIVE_INFINITY;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly probes: Probes,
    private readonly locators: Locators,
    private readonly random: RandomBytes,
    private readonly config: PathConfig,
    private readonly stats: PathStats,
  ) {
    this.#destinations = createLru(config.destinationsMax, (destination) => {
      stats.destinationsEvicted++;
      this.#setRoutes(destination, []);
      if (destination.find !== undefined) this.#events.push({ type: "unreachable", key: destination.key });
    });
  }

  /** The best known route, confirmed or not. Whoever asks needs it: it is not the next to be forgotten. */
  get(key: Uint8Array): Route | undefined {
    return this.#destinations.get(toHex(key))?.routes[0];
  }

  /** Looks for a route; a `route` or `unreachable` event follows, at once where the answer is known. */
  find(key: Uint8Array, nowMs: number, isForeign = false): void {
    const destination = this.#destination(key, nowMs);
    if (!isForeign) destination.isForeign = false;
    const best = destination.routes[0];
    if (best?.isConfirmed === true) {
      this.#events.push({ type: "route", key: best.key, route: best });
      if (nowMs - best.measuredMs > this.config.refreshMs) this.#check(destination, best, nowMs);
    } else if (nowMs < destination.unreachableUntilMs) {
      this.#events.push({ type: "unreachable", key: destination.key });
    } else {
      this.#search(destination, false, nowMs);
    }
  }

  /** Data was sent by the route: it is measured, and a better one looked for, while that goes on. */
  handleUse(route: Route, nowMs: number): void {
    route.usedMs = nowMs;
    if (route.refreshAtMs !== Number.POSITIVE_INFINITY) return;
    route.refreshAtMs = Math.max(nowMs, route.measuredMs + this.config.refreshMs);
    route.relocateAtMs = nowMs + this.config.relocateMs;
    this.#nextMs = Math.min(this.#nextMs, route.refreshAtMs);
  }

  /** The way back of an authenticated packet: used only while there is no confirmed route, and probed. Keeps `ports`. */
  handleHint(key: Uint8Array, ports: Uint16Array, nowMs: number): void {
    if (ports.length === 0 || ports.length > ROUTE_HOPS_MAX) return;
    const destination = this.#destination(key, nowMs);
    const best = destination.routes[0];
    if (best?.isConfirmed === true) return;
    if (best === undefined || !equalPorts(best.ports, ports)) {
      const hint = this.#replace(destination, ports);
      this.#events.push({ type: "route", key: hint.key, route: hint });
    }
    this.#check(destination, destination.routes[0]!, nowMs);
  }

  /**
   * A session misses acknowledgements: `ptoCount` probe timeouts in a row since its route last changed. At the first the route is
   * probed; at the second it is dead, and the key is searched for by every means.
   */
  handleDoubt(key: Uint8Array, ptoCount: number, nowMs: number): void {
    const destination = this.#destination(key, nowMs);
    const best = destination.routes[0];
    if (best !== undefined && ptoCount < 2) {
      this.#check(destination, best, nowMs);
      return;
    }
    if (best !== undefined) this.#bury(destination);
    this.#search(destination, true, nowMs);
  }

  /** A relay says that a route ends at it: a hint. The route stays until a better one is found. False where it is none of ours. */
  handleBroken(routeId: Uint8Array, nowMs: number): boolean {
    const destination = this.#byRouteId.get(toHex(routeId));
    const route = destination?.routes.find((known) => equalBytes(known.routeId, routeId));
    if (destination === undefined || route === undefined) return false;
    if (!route.isBroken && destination.reports.take(nowMs)) this.#break(destination, route, nowMs);
    return true;
  }

  /** The link of that port is gone, and with it every route that begins there. */
  handleLinkDown(port: number, nowMs: number): void {
    for (const destination of this.#destinations.values()) {
      const best = destination?.routes[0];
      if (destination === undefined || best?.ports[0] !== port) continue;
      if (nowMs - best.usedMs > this.config.usedMs) this.#setRoutes(destination, destination.routes.slice(1));
      else this.#break(destination, best, nowMs);
    }
  }

  /** A question about the destination was answered. */
  handleAnswer(answer: Answer, nowMs: number): void {
    const destination = this.#end(answer.inquiry);
    if (destination === undefined) return;
    const best = destination.routes[0];
    if (best?.isBroken === false && equalPorts(best.ports, answer.ports)) this.#confirm(best, answer.rttMs, nowMs);
    else if (best?.isConfirmed !== true || isBetter(answer, best))
      this.#confirm(this.#replace(destination, answer.ports), answer.rttMs, nowMs);
  }

  /** A question about the destination stayed without an answer. */
  handleFailure(inquiry: Inquiry, nowMs: number): void {
    const destination = this.#end(inquiry);
    if (destination === undefined) return;
    const best = destination.routes[0];
    if (inquiry.question.kind === "find") {
      if (best?.isConfirmed !== true && destination.check === undefined) this.#giveUp(destination, nowMs);
    } else if (inquiry.question.kind === "check" && best !== undefined) {
      if (!equalPorts(best.ports, inquiry.question.ports!)) {
        if (!best.isConfirmed) this.#check(destination, best, nowMs);
        return;
      }
      this.#bury(destination);
      this.#search(destination, true, nowMs);
    }
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.pollTimeout()) return;
    this.#nextMs = Number.POSITIVE_INFINITY;
    this.#lookedMs = nowMs;
    const due: Destination[] = [];
    for (const destination of this.#destinations.values()) {
      const dueMs = destination?.routes[0]?.refreshAtMs ?? Number.POSITIVE_INFINITY;
      if (dueMs <= nowMs) due.push(destination!);
      else this.#nextMs = Math.min(this.#nextMs, dueMs);
    }
    for (const destination of due) this.#refresh(destination, destination.routes[0]!, nowMs);
  }

  pollTimeout(): number {
    return Math.max(this.#nextMs, this.#lookedMs + LOOK_GAP_MS);
  }

  pollEvent(): RouteEvent | undefined {
    return this.#events.shift();
  }

  #destination(key: Uint8Array, nowMs: number): Destination {
    const id = toHex(key);
    let destination = this.#destinations.get(id);
    if (destination === undefined) {
      destination = {
        key: key.slice(),
        isForeign: true,
        routes: [],
        find: undefined,
        check: undefined,
        relocate: undefined,
        reports: new Budget(this.config.reportRatePerS, this.config.reportBurst, nowMs),
        unreachableUntilMs: Number.NEGATIVE_INFINITY,
      };
      this.#destinations.set(id, destination);
    }
    return destination;
  }

  /** The destination that an inquiry was about, if it still waits for it. */
  #end(inquiry: Inquiry): Destination | undefined {
    const { kind, target } = inquiry.question;
    const destination = this.#destinations.peek(toHex(target));
    if (kind === "request" || destination?.[kind] !== inquiry) return undefined;
    destination[kind] = undefined;
    return destination;
  }

  #search(destination: Destination, isUrgent: boolean, nowMs: number): void {
    if (destination.find !== undefined) return;
    const { key, isForeign } = destination;
    destination.find = this.probes.ask({ kind: "find", target: key, isUrgent, isForeign }, nowMs);
    if (destination.find === undefined) this.#giveUp(destination, nowMs);
  }

  #check(destination: Destination, route: Route, nowMs: number): void {
    if (destination.check !== undefined) return;
    const { key, isForeign } = destination;
    const { ports, rttMs } = route;
    destination.check = this.probes.ask({ kind: "check", target: key, ports, rttMs, isForeign }, nowMs);
  }

  /** Measures a route that is in use, looks for a better one now and then, and rests where it is not in use. */
  #refresh(destination: Destination, route: Route, nowMs: number): void {
    if (nowMs - route.usedMs > this.config.usedMs) {
      route.refreshAtMs = Number.POSITIVE_INFINITY;
      return;
    }
    this.#destinations.get(toHex(destination.key)); // so that it is not forgotten while in use
    this.#check(destination, route, nowMs);
    route.refreshAtMs = nowMs + this.config.refreshMs;
    this.#nextMs = Math.min(this.#nextMs, route.refreshAtMs);
    if (route.relocateAtMs > nowMs) return;
    route.relocateAtMs = nowMs + this.config.relocateMs;
    if (destination.relocate === undefined && this.locators.get(destination.key) !== undefined)
      destination.relocate = this.probes.ask({ kind: "relocate", target: destination.key }, nowMs);
  }

  /** A new route, in use as much as the one that it replaces. */
  #replace(destination: Destination, ports: Uint16Array): Route {
    const route = new Route(destination.key, ports, this.random(8));
    const old = destination.routes[0];
    if (old !== undefined) {
      route.usedMs = old.usedMs;
      route.refreshAtMs = old.refreshAtMs;
      route.relocateAtMs = old.relocateAtMs;
    }
    this.#setRoutes(destination, [route]);
    this.stats.routesFound++;
    return route;
  }

  #confirm(route: Route, rttMs: number, nowMs: number): void {
    route.rttMs = route.rttMs === 0 ? rttMs : 0.875 * route.rttMs + 0.125 * rttMs;
    route.measuredMs = nowMs;
    if (route.isConfirmed) return;
    route.isConfirmed = true;
    this.#events.push({ type: "route", key: route.key, route });
  }

  /** The route does not lead on, as somebody says: it serves, without bulk, until the search that begins has its end. */
  #break(destination: Destination, route: Route, nowMs: number): void {
    route.isConfirmed = false;
    route.isBroken = true;
    this.stats.routesBroken++;
    this.#search(destination, true, nowMs);
  }

  #bury(destination: Destination): void {
    this.#setRoutes(destination, destination.routes.slice(1));
    this.stats.routesDead++;
  }

  #setRoutes(destination: Destination, routes: Route[]): void {
    for (const { routeId } of destination.routes) this.#byRouteId.delete(toHex(routeId));
    for (const { routeId } of routes) this.#byRouteId.set(toHex(routeId), destination);
    destination.routes = routes;
  }

  #giveUp(destination: Destination, nowMs: number): void {
    this.#setRoutes(destination, []);
    destination.unreachableUntilMs = nowMs + this.config.unreachableMs;
    this.stats.searchesFailed++;
    this.#events.push({ type: "unreachable", key: destination.key });
  }
}

function isBetter(candidate: { ports: Uint16Array; rttMs: number }, route: Route): boolean {
  if (candidate.rttMs + RTT_GAIN_MS < RTT_GAIN * route.rttMs) return true;
  return candidate.ports.length < route.ports.length && candidate.rttMs <= RTT_EQUAL * route.rttMs;
}
