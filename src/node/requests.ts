import type { RouteAnswer } from "../router/paths.js";
import type { Route } from "../router/route.js";
import type { Router } from "../router/router.js";
import { equalBytes, toHex } from "../wire/bytes.js";
import { ANYONE } from "../wire/probe.js";
import type { NodeConfig } from "./config.js";
import type { Hop, RequestEvent } from "./events.js";

/** Three probes of a route stayed without an answer, which is worth as many of a session's timeouts as make it dead. */
const DEAD_PTO_COUNT = 2;

/** What somebody asked of this node about the mesh, until it is answered. */
interface Request {
  readonly number: number;
  readonly type: RequestEvent["type"];
  readonly key: Uint8Array;
  readonly deadlineMs: number;
  /** The route that is, or was last, measured; undefined while the first is searched for. */
  route: Route | undefined;
  /** A route was measured that did not lead there any more. */
  isSecond: boolean;
  /** Probes that are out, by the router's number, and the hop that each measures. */
  readonly probes: Map<number, number>;
  readonly hops: (Hop | undefined)[];
}

/** Pings, traces and look-ups: each begins with a route to the key, and the first two measure it. */
export class Requests {
  /** Requests that were not taken because `requestsMax` were open. */
  refused = 0;
  readonly #open = new Map<number, Request>();
  /** By key, those that wait for a route. */
  readonly #searching = new Map<string, Set<Request>>();
  /** By the router's number of a probe. */
  readonly #probing = new Map<number, Request>();
  #count = 0;

  constructor(
    private readonly ownKey: Uint8Array,
    private readonly router: Router,
    private readonly config: NodeConfig,
    private readonly emit: (event: RequestEvent) => void,
  ) {}

  get size(): number {
    return this.#open.size;
  }

  /** Gives the number that the answering event will bear, or 0 where too many are open. */
  start(type: RequestEvent["type"], key: Uint8Array, nowMs: number): number {
    if (this.#open.size >= this.config.requestsMax) {
      this.refused++;
      return 0;
    }
    const deadlineMs = nowMs + this.config.requestTimeoutMs;
    const number = ++this.#count;
    const request: Request = {
      number,
      type,
      key: key.slice(),
      deadlineMs,
      route: undefined,
      isSecond: false,
      probes: new Map(),
      hops: [],
    };
    this.#open.set(number, request);
    if (equalBytes(key, this.ownKey)) this.#finish(request, undefined);
    else this.#search(request, nowMs);
    return number;
  }

  /** There is a route to the key. */
  handleRoute(route: Route, nowMs: number): void {
    if (!route.isConfirmed) return;
    for (const request of this.#takeSearching(route.key)) this.#measure(request, route, nowMs);
  }

  handleUnreachable(key: Uint8Array): void {
    for (const request of this.#takeSearching(key)) this.#finish(request, "no way to the key was found");
  }

  /** What the end of a probed route answered, undefined for nothing. */
  handleProbed(probe: number, answer: RouteAnswer | undefined, nowMs: number): void {
    const request = this.#probing.get(probe);
    if (request === undefined) return;
    this.#probing.delete(probe);
    const hop = request.probes.get(probe)!;
    request.probes.delete(probe);
    if (answer !== undefined) {
      request.hops[hop] = { key: answer.key, rttMs: answer.rttMs, port: request.route!.ports[hop]! };
    }
    if (request.probes.size > 0) return;
    if (request.hops[request.route!.ports.length - 1] === undefined && !request.isSecond) this.#retry(request, nowMs);
    else this.#finish(request, undefined);
  }

  handleTimeout(nowMs: number): void {
    for (const request of this.#open.values()) {
      if (request.deadlineMs > nowMs) break;
      this.#finish(request, "no answer in time");
    }
  }

  /** Requests are open equally long, so the first is due first. */
  pollTimeout(): number {
    for (const request of this.#open.values()) return request.deadlineMs;
    return Number.POSITIVE_INFINITY;
  }

  #search(request: Request, nowMs: number): void {
    const name = toHex(request.key);
    const searching = this.#searching.get(name) ?? new Set();
    searching.add(request);
    this.#searching.set(name, searching);
    this.router.paths.findRoute(request.key, undefined, nowMs);
  }

  /** The route was known from before and leads there no more: once, another is looked for. */
  #retry(request: Request, nowMs: number): void {
    const { paths } = this.router;
    request.isSecond = true;
    if (paths.route(request.key) === request.route) paths.handleRouteDoubt(request.key, DEAD_PTO_COUNT, nowMs);
    this.#search(request, nowMs);
  }

  #takeSearching(key: Uint8Array): Iterable<Request> {
    const name = toHex(key);
    const searching = this.#searching.get(name) ?? [];
    this.#searching.delete(name);
    return searching;
  }

  /** A ping measures the whole route, a trace every beginning of it; a look-up takes what the search measured. */
  #measure(request: Request, route: Route, nowMs: number): void {
    request.route = route;
    request.hops.length = 0;
    const hops = route.ports.length;
    if (request.type !== "lookup") {
      for (let hop = request.type === "ping" ? hops - 1 : 0; hop < hops; hop++) {
        const target = hop === hops - 1 ? request.key : ANYONE;
        const probe = this.router.paths.probeRoute(route.ports.slice(0, hop + 1), target, route.rttMs, nowMs);
        if (probe === 0) continue;
        this.#probing.set(probe, request);
        request.probes.set(probe, hop);
      }
    }
    if (request.probes.size === 0) this.#finish(request, undefined);
  }

  /** Ends the request: with its answer, or with the reason why there is none. */
  #finish(request: Request, failure: string | undefined): void {
    this.#open.delete(request.number);
    for (const probe of request.probes.keys()) this.#probing.delete(probe);
    const searching = this.#searching.get(toHex(request.key));
    if (searching?.delete(request) === true && searching.size === 0) this.#searching.delete(toHex(request.key));
    this.emit(this.#answerOf(request, failure));
  }

  #answerOf(request: Request, failure: string | undefined): RequestEvent {
    const { type, number, key, route } = request;
    const hops = route?.ports.length ?? 0;
    const last = request.hops[hops - 1];
    const isSelf = equalBytes(key, this.ownKey);
    const isMeasured = type === "lookup" ? route !== undefined : last !== undefined;
    const reason = failure ?? (isMeasured || isSelf ? undefined : "the route was not confirmed");
    const common = { request: number, key, ok: reason === undefined, reason };
    switch (type) {
      case "ping":
        return { type, ...common, hops, rttMs: last?.rttMs ?? 0 };
      case "trace":
        return { type, ...common, hops: Array.from({ length: hops }, (_, i) => request.hops[i]) };
      case "lookup":
        return {
          type,
          ...common,
          locator: isSelf ? this.router.ownLocator().bytes : this.router.paths.locator(key)?.bytes,
          route: route?.ports ?? new Uint16Array(0),
          rttMs: route?.rttMs ?? 0,
        };
    }
  }
}
