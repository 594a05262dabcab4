import type { RandomBytes } from "../crypto/crypto.js";
import { Budget } from "../wire/budget.js";
import { toHex } from "../wire/bytes.js";
import { ROUTE_HOPS_MAX } from "../wire/limits.js";
import { type Destination, isShunned, newDestination, spareOf } from "./destination.js";
import type { Locators } from "./locators.js";
import { Lru } from "./lru.js";
import type { PathConfig } from "./path-config.js";
import type { PathStats } from "./path-stats.js";
import { equalPorts } from "./ports.js";
import type { Answer, Inquiry, Probes } from "./probes.js";
import { chooseSpares, type FoundBy, isBetter, Route } from "./route.js";

/** Routes are looked through for what is due no more often than this: there may be thousands. */
const LOOK_GAP_MS = 100;

export type RouteEvent =
  /** The route to be used from now on; the first, a better one, a spare, or one that is confirmed now. */
  | { readonly type: "route"; readonly key: Uint8Array; readonly route: Route }
  /** The first try of a search for a key that this node wants found nothing: whoever knows where the key was may say so. */
  | { readonly type: "seeking"; readonly key: Uint8Array }
  /** A search found no way. */
  | { readonly type: "unreachable"; readonly key: Uint8Array };

/** What the map of balls says of routes. */
export interface RouteMap {
  /** Nodes that are known to be on both routes. */
  sharedNodes(a: Uint16Array, b: Uint16Array): number;
  /** At most `count` routes to a key, which share as few nodes as can be with one another and with `others`. */
  routesTo(key: Uint8Array, count: number, others: readonly Uint16Array[], nowMs: number): Uint16Array[];
}

/**
 * The routes of this node: finds, confirms, measures and replaces them, and keeps spares. The least recently needed destination is
 * forgotten first.
 *
 * A sign that a route may not lead on puts it in doubt: it and the spares are probed at once, and the first to answer is used.
 */
export class Routes {
  readonly #destinations: Lru<string, Destination>;
  /** By the id of a route that it has now. */
  readonly #byRouteId = new Map<string, Destination>();
  readonly #events: RouteEvent[] = [];
  /** No refresh is due earlier. */
  #nextMs = Number.POSITIVE_INFINITY;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly probes: Probes,
    private readonly locators: Locators,
    private readonly map: RouteMap,
    private readonly random: RandomBytes,
    private readonly config: PathConfig,
    private readonly stats: PathStats,
  ) {
    this.#destinations = new Lru(config.destinationsMax, (destination) => {
      stats.destinationsEvicted++;
      this.#setRoutes(destination, []);
      if (destination.find !== undefined) this.#events.push({ type: "unreachable", key: destination.key });
    });
  }

  /** The best known route, confirmed or not. Whoever asks needs it: it is not the next to be forgotten. */
  get(key: Uint8Array): Route | undefined {
    return this.#destinations.get(toHex(key))?.routes[0];
  }

  /** All that is known of the ways to a key. */
  about(key: Uint8Array): Destination | undefined {
    return this.#destinations.peek(toHex(key));
  }

  get destinationCount(): number {
    return this.#destinations.size;
  }

  /** All destinations, the most recently needed first. */
  destinations(): Destination[] {
    return this.#destinations.values().reverse();
  }

  /** A confirmed route beside the best one. */
  spare(key: Uint8Array): Route | undefined {
    const destination = this.#destinations.peek(toHex(key));
    return destination && spareOf(destination);
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
    const { use } = route;
    use.usedMs = nowMs;
    if (use.refreshAtMs !== Number.POSITIVE_INFINITY) return;
    const destination = this.#destinations.peek(toHex(route.key));
    const hasSpare = destination !== undefined && spareOf(destination) !== undefined;
    use.refreshAtMs = Math.max(nowMs, route.measuredMs + this.config.refreshMs);
    use.relocateAtMs = hasSpare ? nowMs + this.config.relocateMs : use.refreshAtMs;
    this.#nextMs = Math.min(this.#nextMs, use.refreshAtMs);
  }

  /**
   * The way back of an authenticated packet: used only while there is no confirmed route, and probed. Later, a change says that the peer
   * took another way, perhaps because nothing of ours arrives any more. Keeps `ports`.
   */
  handleHint(key: Uint8Array, ports: Uint16Array, nowMs: number): void {
    if (ports.length === 0 || ports.length > ROUTE_HOPS_MAX) return;
    const destination = this.#destination(key, nowMs);
    const { hint } = destination;
    destination.hint = ports;
    const best = destination.routes[0];
    if (best?.isConfirmed === true) {
      if (hint === undefined || equalPorts(hint, ports) || equalPorts(best.ports, ports)) return;
      if (destination.reports.take(nowMs)) this.#doubt(destination, best, nowMs, ports);
      return;
    }
    if (best === undefined || !equalPorts(best.ports, ports))
      this.#setRoutes(destination, [this.#newRoute(destination, ports, "packets")]);
    this.#check(destination, destination.routes[0]!, nowMs);
  }

  /**
   * A session misses acknowledgements: `ptoCount` probe timeouts in a row since its route last changed. At the first the route is in
   * doubt; at the second it is dead: a spare takes its place, and the key is searched for by every means.
   */
  handleDoubt(key: Uint8Array, ptoCount: number, nowMs: number): void {
    const destination = this.#destination(key, nowMs);
    const best = destination.routes[0];
    if (best === undefined) this.#search(destination, true, nowMs);
    else if (ptoCount < 2) this.#doubt(destination, best, nowMs);
    else this.#bury(destination, best, nowMs);
  }

  /** Probes routes that may be better than what there is, or spares. */
  offer(key: Uint8Array, routes: readonly Uint16Array[], nowMs: number): void {
    const destination = this.#destination(key, nowMs);
    const fresh = routes.filter((ports) => !destination.routes.some((known) => equalPorts(known.ports, ports)));
    if (fresh.length === 0 || destination.offer !== undefined) return;
    this.stats.routesJoined += fresh.length;
    const { key: target, isForeign } = destination;
    // What takes three times as long as the present route is no gain.
    const rttMs = destination.routes[0]?.rttMs ?? 0;
    destination.offer = this.probes.ask({ kind: "offer", target, routes: fresh, rttMs, isForeign }, nowMs);
  }

  /** A relay says that a route ends at it: a hint. False where it is none of ours. */
  handleBroken(routeId: Uint8Array, nowMs: number): boolean {
    const destination = this.#byRouteId.get(toHex(routeId));
    const route = destination?.routes.find((known) => known.hasId(routeId));
    if (destination === undefined || route === undefined) return false;
    if (!route.isBroken && destination.reports.take(nowMs)) this.#break(destination, route, nowMs);
    return true;
  }

  /** The link of that port is gone, and with it every route that begins there. */
  handleLinkDown(port: number, nowMs: number): void {
    for (const destination of this.#destinations.values()) {
      const best = destination.routes[0];
      if (best === undefined) continue;
      const isUsed = nowMs - best.use.usedMs <= this.config.usedMs;
      const leadOn = destination.routes.filter(({ ports }) => ports[0] !== port);
      if (best.ports[0] !== port || !isUsed) this.#setRoutes(destination, leadOn);
      else {
        this.#setRoutes(destination, [best, ...leadOn]);
        this.#break(destination, best, nowMs);
      }
    }
  }

  /** A question about the destination was answered. */
  handleAnswer(answer: Answer, nowMs: number): void {
    const destination = answer.isLate
      ? this.#destinations.peek(toHex(answer.key))
      : this.#end(answer.inquiry, answer.key);
    if (destination === undefined) return;
    const { routes } = destination;
    const best = routes[0];
    const known = routes.find((route) => !route.isBroken && equalPorts(route.ports, answer.ports));
    const isWanted = best?.isConfirmed !== true || best.isDoubted;
    if (known === undefined && best?.isConfirmed === true && isShunned(destination, answer.ports, nowMs)) return;
    const { kind } = answer.inquiry.question;
    const leads = known === best || isWanted || ((!answer.isLate || kind === "offer") && isBetter(answer, best, kind));
    const route = known ?? this.#newRoute(destination, answer.ports, answer.foundBy);
    this.#confirm(route, route === best, answer, nowMs);
    const others = routes.filter((other) => other !== route);
    this.#setRoutes(destination, leads ? [route, ...others] : [best!, route, ...others.slice(1)]);
  }

  /** A try of a question stayed without an answer, and others follow. */
  handleSilence(inquiry: Inquiry, nowMs: number): void {
    const { kind, target, routes, isForeign } = inquiry.question;
    const destination = this.#destinations.peek(toHex(target));
    const best = destination?.routes[0];
    if (kind === "find" && inquiry.tryCount === 2 && isForeign !== true && destination !== undefined)
      this.#events.push({ type: "seeking", key: destination.key });
    if (kind !== "check" || destination?.check !== inquiry || best?.isConfirmed !== true || best.isDoubted) return;
    if (equalPorts(best.ports, routes![0]!)) this.#doubt(destination, best, nowMs);
  }

  /** A question about the destination stayed without an answer. */
  handleFailure(inquiry: Inquiry, nowMs: number): void {
    const { kind, target, routes } = inquiry.question;
    const destination = this.#end(inquiry, target);
    if (destination === undefined) return;
    const best = destination.routes[0];
    const asked = destination.routes.filter(({ ports }) => routes?.some((route) => equalPorts(route, ports)));
    for (const route of asked) this.#bury(destination, route, nowMs);
    if (kind === "find") {
      if (best?.isConfirmed !== true && destination.check === undefined) this.#giveUp(destination, nowMs);
    } else if (kind === "check" && asked.length === 0 && best?.isConfirmed === false)
      this.#check(destination, best, nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.pollTimeout()) return;
    this.#nextMs = Number.POSITIVE_INFINITY;
    this.#lookedMs = nowMs;
    const due: Destination[] = [];
    for (const destination of this.#destinations.values()) {
      const best = destination.routes[0];
      const dueMs = best?.use.refreshAtMs ?? Number.POSITIVE_INFINITY;
      if (dueMs <= nowMs) due.push(destination);
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
      const reports = new Budget(this.config.reportRatePerS, this.config.reportBurst, nowMs);
      destination = newDestination(key.slice(), reports);
      this.#destinations.set(id, destination);
    }
    return destination;
  }

  /** The destination that an inquiry was about, if it still waits for it. */
  #end(inquiry: Inquiry, target: Uint8Array): Destination | undefined {
    const { kind } = inquiry.question;
    const destination = this.#destinations.peek(toHex(target));
    if (kind === "request" || destination?.[kind] !== inquiry) return undefined;
    destination[kind] = undefined;
    return destination;
  }

  #search(destination: Destination, isUrgent: boolean, nowMs: number): void {
    if (destination.find !== undefined) return;
    const { key, isForeign } = destination;
    destination.find = this.probes.ask({ kind: "find", target: key, isUrgent, isForeign }, nowMs);
    if (destination.find === undefined && destination.routes[0]?.isConfirmed !== true) this.#giveUp(destination, nowMs);
  }

  #check(destination: Destination, route: Route, nowMs: number): void {
    const { key, isForeign } = destination;
    const { ports, rttMs } = route;
    destination.check ??= this.probes.ask({ kind: "check", target: key, routes: [ports], rttMs, isForeign }, nowMs);
  }

  #checkSpares(destination: Destination, routes: readonly Uint16Array[], nowMs: number): void {
    if (routes.length === 0) return;
    const { key, isForeign } = destination;
    const rttMs = destination.routes[0]?.rttMs ?? 0;
    destination.spares ??= this.probes.ask({ kind: "spares", target: key, routes, rttMs, isForeign }, nowMs);
  }

  /**
   * Whatever answers first, the route in use, a spare, a way around both that the map has, the way that the peer took, or what a search
   * finds, is used from then on.
   */
  #doubt(destination: Destination, best: Route, nowMs: number, way?: Uint16Array): void {
    best.isDoubted = true;
    this.#check(destination, best, nowMs);
    const known = destination.routes.map(({ ports }) => ports);
    const fromMap = this.map.routesTo(destination.key, this.config.candidatesMax - known.length, known, nowMs);
    const others = [...known.slice(1), ...fromMap.filter((ports) => !known.some((route) => equalPorts(route, ports)))];
    if (way !== undefined && !others.some((ports) => equalPorts(ports, way))) others.push(way);
    this.#checkSpares(destination, others, nowMs);
    if (way === undefined) this.#search(destination, false, nowMs);
  }

  /** Measures a route that is in use, looks for a better one now and then, and rests where it is not in use. */
  #refresh(destination: Destination, route: Route, nowMs: number): void {
    const { use } = destination;
    if (nowMs - use.usedMs > this.config.usedMs) {
      use.refreshAtMs = Number.POSITIVE_INFINITY;
      return;
    }
    this.#destinations.get(toHex(destination.key)); // so that it is not forgotten while in use
    this.#check(destination, route, nowMs);
    use.refreshAtMs = nowMs + this.config.refreshMs;
    this.#nextMs = Math.min(this.#nextMs, use.refreshAtMs);
    if (use.relocateAtMs > nowMs) return;
    use.relocateAtMs = nowMs + this.config.relocateMs;
    this.#relocate(destination, nowMs);
  }

  /** Looks for a better route by the locator, or where there is no spare for one in all trees; measures the spares, and drops the silent. */
  #relocate(destination: Destination, nowMs: number): void {
    const { key, isForeign } = destination;
    const sinceMs = nowMs - 2 * this.config.relocateMs;
    const heard = destination.routes.filter(({ measuredMs }, i) => i === 0 || measuredMs > sinceMs);
    this.#setRoutes(destination, heard);
    const spares = destination.routes.slice(1).map(({ ports }) => ports);
    this.#checkSpares(destination, spares, nowMs);
    const isUrgent = spares.length === 0;
    if (!isUrgent && this.locators.get(key) === undefined) return;
    const rttMs = destination.routes[0]?.rttMs ?? 0;
    destination.relocate ??= this.probes.ask({ kind: "relocate", target: key, isUrgent, rttMs, isForeign }, nowMs);
  }

  #newRoute(destination: Destination, ports: Uint16Array, foundBy: FoundBy): Route {
    return new Route(destination.key, ports, this.random(8), destination.use, foundBy);
  }

  #confirm(route: Route, isBest: boolean, { rttMs, back }: Answer, nowMs: number): void {
    route.rttMs = route.rttMs === 0 ? rttMs : 0.875 * route.rttMs + 0.125 * rttMs;
    route.measuredMs = nowMs;
    route.back = back;
    route.isDoubted = false;
    if (isBest && !route.isConfirmed) this.#events.push({ type: "route", key: route.key, route });
    route.isConfirmed = true;
  }

  /** The route does not lead on, as somebody says: a spare takes its place, or it serves, without bulk, until the search has its end. */
  #break(destination: Destination, route: Route, nowMs: number): void {
    route.isConfirmed = false;
    route.isBroken = true;
    this.stats.routesBroken++;
    const isBest = route === destination.routes[0];
    const spare = spareOf(destination);
    if (spare !== undefined || !isBest)
      this.#setRoutes(
        destination,
        destination.routes.filter((other) => other !== route),
      );
    if (isBest) this.#search(destination, true, nowMs);
  }

  /** The route is given up. What takes its place is probed, and the key searched for. */
  #bury(destination: Destination, route: Route, nowMs: number): void {
    const isBest = route === destination.routes[0];
    destination.shunned = route.ports;
    destination.shunnedUntilMs = nowMs + this.config.shunnedMs;
    this.stats.routesDead++;
    this.#setRoutes(
      destination,
      destination.routes.filter((other) => other !== route),
    );
    if (isBest) this.#search(destination, true, nowMs);
  }

  /** Uses the first of `routes`, and keeps spares of the others. */
  #setRoutes(destination: Destination, routes: readonly Route[]): void {
    const [best, ...others] = routes;
    const shared = (a: Uint16Array, b: Uint16Array) => this.map.sharedNodes(a, b);
    const old = destination.routes;
    destination.routes = best === undefined ? [] : [best, ...chooseSpares(best, others, this.config.sparesMax, shared)];
    for (const { routeId } of old) this.#byRouteId.delete(toHex(routeId));
    for (const { routeId } of destination.routes) this.#byRouteId.set(toHex(routeId), destination);
    if (best === undefined || best === old[0]) return;
    if (old.includes(best)) this.stats.sparesTaken++;
    else this.stats.routesFound++;
    this.#events.push({ type: "route", key: best.key, route: best });
  }

  #giveUp(destination: Destination, nowMs: number): void {
    this.#setRoutes(destination, []);
    destination.unreachableUntilMs = nowMs + this.config.unreachableMs;
    this.stats.searchesFailed++;
    this.#events.push({ type: "unreachable", key: destination.key });
  }
}
