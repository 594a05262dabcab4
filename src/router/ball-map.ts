import type { BallRecord } from "../wire/ball.js";
import { Lru } from "./lru.js";

/** What a node costs to pass that another route passes already: more than any delay, so that routes share as few as they can. */
const SHARED_MS = 1e6;

interface Held {
  readonly record: BallRecord;
  readonly bytes: Uint8Array;
  /** The node itself answered, at the end of a route that leads there; else another said so. */
  readonly isFirstHand: boolean;
  readonly atMs: number;
}

/** A node as a survey found it. */
export interface Waypoint {
  readonly id: string;
  readonly delayMs: number;
  readonly cost: number;
  readonly hops: number;
  /** The node before it, and that node's port for it; undefined where the survey began. */
  readonly before: Waypoint | undefined;
  readonly port: number;
}

/** A route as the map has it. */
export interface MapRoute {
  readonly ports: Uint16Array;
  /** Ids of the nodes that it passes, both ends left out. */
  readonly nodes: readonly string[];
  readonly delayMs: number;
}

/** The records that are known: those pulled for the own ball, and those that peers sent of theirs. None is believed without a probe. */
export class BallMap {
  readonly #records: Lru<string, Held>;

  constructor(
    private readonly own: () => BallRecord,
    private readonly config: { readonly recordsMax: number; readonly recordMs: number },
  ) {
    this.#records = new Lru(config.recordsMax);
  }

  /** Keeps a copy. What another says of a node does not take the place of what the node said. */
  put(record: BallRecord, bytes: Uint8Array, isFirstHand: boolean, nowMs: number): void {
    if (record.id === this.own().id) return;
    const held = this.#held(record.id, nowMs);
    if (held?.isFirstHand === true && !isFirstHand) return;
    this.#records.set(record.id, { record, bytes: bytes.slice(), isFirstHand, atMs: nowMs });
  }

  get(id: string, nowMs: number): BallRecord | undefined {
    const own = this.own();
    return id === own.id ? own : this.#held(id, nowMs)?.record;
  }

  /** How a record came, and when. */
  about(id: string, nowMs: number): { readonly isFirstHand: boolean; readonly atMs: number } | undefined {
    return this.#held(id, nowMs);
  }

  /** The record as it came. */
  bytesOf(id: string, nowMs: number): Uint8Array | undefined {
    return this.#held(id, nowMs)?.bytes;
  }

  /**
   * Nodes from `fromId` on, the nearest first (Dijkstra): up to the first for which `until` holds, or `nodesMax` nodes. `passed` says how many other routes
   * pass a node or, as "from>to", a link.
   */
  survey(
    fromId: string,
    nowMs: number,
    options: {
      until?: (id: string) => boolean;
      nodesMax?: number;
      passed?: ReadonlyMap<string, number>;
    },
  ): Waypoint[] {
    const { until, nodesMax = NODES_MAX, passed } = options;
    const found: Waypoint[] = [];
    const start = { id: fromId, delayMs: 0, cost: 0, hops: 0, before: undefined, port: 0 };
    const least = new Map<string, number>([[fromId, 0]]);
    const edge = new Edge(start);
    for (let at = edge.take(); at !== undefined; at = edge.take()) {
      if (at.cost > least.get(at.id)!) continue;
      found.push(at);
      if (found.length >= nodesMax || until?.(at.id) === true) break;
      const record = this.get(at.id, nowMs);
      if (record === undefined || at.hops >= HOPS_MAX) continue;
      for (const { id, port, delayMs } of record.links) {
        const shared = passed === undefined ? 0 : (passed.get(id) ?? 0) + (passed.get(`${at.id}>${id}`) ?? 0);
        const cost = at.cost + delayMs + SHARED_MS * shared;
        if (cost >= (least.get(id) ?? Number.POSITIVE_INFINITY)) continue;
        least.set(id, cost);
        edge.add({ id, delayMs: at.delayMs + delayMs, cost, hops: at.hops + 1, before: at, port });
      }
    }
    return found;
  }

  /** How far the ball of a node reaches: the delay to the nearest node whose record is not known. */
  reachMs(fromId: string, nowMs: number): number {
    const isOutside = (id: string) => this.get(id, nowMs) === undefined;
    const last = this.survey(fromId, nowMs, { until: isOutside }).at(-1)!;
    return isOutside(last.id) ? last.delayMs : Number.POSITIVE_INFINITY;
  }

  /** At most `count` routes to a node, the shortest first, each sharing as few nodes as can be with those before it and with `others`. */
  routes(toId: string, count: number, nowMs: number, others: readonly MapRoute[] = []): MapRoute[] {
    const passed = new Map<string, number>();
    for (const route of others) this.#pass(route, toId, passed);
    const routes: MapRoute[] = [];
    while (routes.length < count) {
      const end = this.survey(this.own().id, nowMs, { until: (id) => id === toId, passed }).at(-1);
      if (end?.id !== toId || end.hops === 0) break;
      const route = routeTo(end);
      if (routes.some(({ ports }) => ports.join() === route.ports.join())) break;
      routes.push(route);
      this.#pass(route, toId, passed);
    }
    return routes;
  }

  /** What the map knows of a route: the nodes that it passes, as far as records say; "" for one that they do not name. */
  trace(ports: Uint16Array, nowMs: number): MapRoute {
    const nodes: string[] = [];
    let delayMs = 0;
    let at: string | undefined = this.own().id;
    for (const port of ports) {
      const link: BallRecord["links"][number] | undefined =
        at === undefined ? undefined : this.get(at, nowMs)?.links.find((known) => known.port === port);
      at = link?.id;
      delayMs += link?.delayMs ?? 0;
      nodes.push(at ?? "");
    }
    return { ports, nodes: nodes.slice(0, -1), delayMs };
  }

  /** Nodes that are known to be on both routes. */
  sharedNodes(a: Uint16Array, b: Uint16Array, nowMs: number): number {
    const nodes = new Set(this.trace(a, nowMs).nodes);
    return this.trace(b, nowMs).nodes.filter((node) => node !== "" && nodes.has(node)).length;
  }

  get size(): number {
    return this.#records.size;
  }

  #held(id: string, nowMs: number): Held | undefined {
    const held = this.#records.get(id);
    return held !== undefined && nowMs - held.atMs < this.config.recordMs ? held : undefined;
  }

  #pass({ nodes }: MapRoute, toId: string, passed: Map<string, number>): void {
    const all = [this.own().id, ...nodes, toId];
    for (let i = 1; i < all.length; i++) {
      const [from, to] = [all[i - 1]!, all[i]!];
      passed.set(`${from}>${to}`, (passed.get(`${from}>${to}`) ?? 0) + 1);
      if (to !== toId && to !== "") passed.set(to, (passed.get(to) ?? 0) + 1);
    }
  }
}

/** No route is longer. */
const HOPS_MAX = 127;

/** Nodes that a survey looks at. */
const NODES_MAX = 4_096;

/** What a survey has found and not looked at, by cost: a binary heap. A node may be in it more than once. */
class Edge {
  readonly #heap: Waypoint[];

  constructor(start: Waypoint) {
    this.#heap = [start];
  }

  add(waypoint: Waypoint): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(waypoint);
    for (let up = (at - 1) >> 1; at > 0 && waypoint.cost < heap[up]!.cost; up = (at - 1) >> 1) {
      heap[at] = heap[up]!;
      at = up;
    }
    heap[at] = waypoint;
  }

  take(): Waypoint | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (let down = 1; down < heap.length; down = 2 * at + 1) {
      if (down + 1 < heap.length && heap[down + 1]!.cost < heap[down]!.cost) down++;
      if (last.cost <= heap[down]!.cost) break;
      heap[at] = heap[down]!;
      at = down;
    }
    heap[at] = last;
    return first;
  }
}

export function routeTo(end: Waypoint): MapRoute {
  const ports: number[] = [];
  const nodes: string[] = [];
  for (let at: Waypoint = end; at.before !== undefined; at = at.before) {
    ports.unshift(at.port);
    if (at !== end) nodes.unshift(at.id);
  }
  return { ports: Uint16Array.from(ports), nodes, delayMs: end.delayMs };
}
