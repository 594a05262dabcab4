import { BALL, BALL_REQUEST, type BallRecord, decodeRecords, encodeRecord, RECORD_LINKS_MAX } from "../wire/ball.js";
import { Budget } from "../wire/budget.js";
import { concatBytes, toHex } from "../wire/bytes.js";
import { DropReason } from "../wire/codes.js";
import { BALL_PADDING_BYTES, BALL_RECORDS_BYTES_MAX, ID_BYTES } from "../wire/limits.js";
import type { Refusal } from "../wire/skim.js";
import { BallMap, routeTo, type Waypoint } from "./ball-map.js";
import { countDrop } from "./drops.js";
import { idOf } from "./entry.js";
import { Lru } from "./lru.js";
import type { PathDeps } from "./path-deps.js";
import type { PathStats } from "./path-stats.js";
import type { RoutingView } from "./peer.js";
import { decodePorts, encodePorts } from "./ports.js";
import type { ProbeRelay } from "./probe-relay.js";
import type { Detours } from "./probes.js";
import type { RouteMap } from "./routes.js";

const PADDING = new Uint8Array(BALL_PADDING_BYTES);

/** A request that is out. */
interface Asked {
  /** The node that the map has at the end of the route; undefined where it is not on the map. */
  readonly id: string | undefined;
  readonly route: Uint16Array;
  readonly deadlineMs: number;
}

/**
 * The node's ball: the records of the nodes nearest to it, pulled when they are needed, the nearest missing ones first, and each asked
 * from the node itself. Answers others with what it holds.
 */
export class Balls implements RouteMap, Detours {
  readonly map: BallMap;
  readonly #asked = new Map<string, Asked>();
  /** Nodes that did not answer, and until when they are not asked again. */
  readonly #silent = new Lru<string, number>(SILENT_MAX);
  readonly #requests: Budget;
  #size = 0;
  #isGrown = true;
  #own: BallRecord | undefined;
  #ownMs = Number.NEGATIVE_INFINITY;
  #answer: Uint8Array = PADDING;
  #answerMs = Number.NEGATIVE_INFINITY;
  #nextMs = Number.POSITIVE_INFINITY;
  #nowMs: number;

  constructor(
    private readonly view: RoutingView,
    private readonly relay: ProbeRelay,
    private readonly deps: PathDeps,
    private readonly stats: PathStats,
    nowMs: number,
  ) {
    const { config } = deps;
    this.map = new BallMap(() => this.#ownRecord(), config);
    this.#requests = new Budget(config.ballRatePerS, config.ballBurst, nowMs);
    this.#nowMs = nowMs;
  }

  /** A BALL_REQUEST: sent on, or answered where this is the end of its route. */
  handleRequest(frame: Uint8Array, ingress: number, nowMs: number): Refusal | undefined {
    this.#nowMs = nowMs;
    const request = BALL_REQUEST.decode(frame);
    if (typeof request === "number") return this.#refuse(request);
    const route = decodePorts(request.route);
    const egress = this.relay.sendForth({ ...request, route }, ingress, nowMs, (moved) =>
      BALL_REQUEST.encode({ ...moved, route: encodePorts(moved.route) }),
    );
    if (egress !== 0) return undefined;
    this.stats.ballsAnswered++;
    const back = Uint16Array.from(route, (_, i) => (i === 0 ? ingress : route[route.length - i]!));
    const ball = { hops: 0, index: 0, nonce: request.nonce, back: encodePorts(back), records: this.#records(nowMs) };
    this.relay.sendBack(ball, 0, (moved) => BALL.encode(moved));
    return undefined;
  }

  /** A BALL: sent on, or taken as the answer to a request of this node. */
  handleBall(frame: Uint8Array, ingress: number, nowMs: number): Refusal | undefined {
    this.#nowMs = nowMs;
    const ball = BALL.decode(frame);
    if (typeof ball === "number") return this.#refuse(ball);
    if (!this.relay.takeReplyDue(ingress)) {
      countDrop(this.deps.drops, DropReason.UNASKED);
      return undefined;
    }
    if (this.relay.sendBack(ball, ingress, (moved) => BALL.encode(moved), frame) !== 0) return undefined;
    const nonce = toHex(ball.nonce);
    const asked = this.#asked.get(nonce);
    const records = decodeRecords(ball.records);
    if (asked === undefined || asked.route[0] !== ingress) countDrop(this.deps.drops, DropReason.UNASKED);
    else if (records === undefined || (asked.id !== undefined && records[0]!.record.id !== asked.id))
      this.stats.ballsBad++;
    else {
      this.#asked.delete(nonce);
      for (const [i, { record, bytes }] of records.entries()) this.map.put(record, bytes, i === 0, nowMs);
      if (this.#asked.size === 0) this.#grow(nowMs);
    }
    return undefined;
  }

  /** A link is gone. */
  handleLinkDown(): void {
    this.#own = undefined;
  }

  /** Records of a peer's ball, as its session brought them: at most `countMax` are kept. Gives how many; 0 where they have no layout. */
  handleRecords(bytes: Uint8Array, nowMs: number, countMax = Number.POSITIVE_INFINITY): number {
    const records = decodeRecords(bytes)?.slice(0, countMax);
    if (records === undefined) this.stats.ballsBad++;
    for (const { record, bytes: own } of records ?? []) this.map.put(record, own, false, nowMs);
    return records?.length ?? 0;
  }

  /** Pulls what is missing of the nearest `size` records; `isGrown` tells when that is done. */
  grow(size: number, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#size = Math.min(Math.max(this.#size, size), this.deps.config.ballMax);
    if (this.#asked.size === 0) this.#grow(nowMs);
  }

  /** No request is out, and none is to follow. */
  get isGrown(): boolean {
    return this.#isGrown && this.#asked.size === 0;
  }

  sharedNodes(a: Uint16Array, b: Uint16Array): number {
    return this.map.sharedNodes(a, b, this.#nowMs);
  }

  routesTo(key: Uint8Array, count: number, others: readonly Uint16Array[], nowMs: number): Uint16Array[] {
    this.#nowMs = nowMs;
    const passed = others.map((ports) => this.map.trace(ports, nowMs));
    return this.map.routes(idOf(key), count, nowMs, passed).map(({ ports }) => ports);
  }

  /** Pulls a small ball, so that there are nodes to make detours by. */
  prepare(nowMs: number): void {
    this.grow(DETOUR_RECORDS, nowMs);
  }

  /** Routes to at most `count` nodes of the own ball, at random: neighbours are tried by the trees already. */
  detours(count: number, nowMs: number): Uint16Array[] {
    this.#nowMs = nowMs;
    const nodes = this.map.survey(this.#ownRecord().id, nowMs, { nodesMax: 2 * DETOUR_RECORDS });
    const far = nodes.filter(({ hops, id }) => hops > 1 && this.map.get(id, nowMs) !== undefined);
    const order = this.deps.random(far.length);
    const drawn = far.map((waypoint, i) => ({ waypoint, at: order[i]! })).sort((a, b) => a.at - b.at);
    return drawn.slice(0, count).map(({ waypoint }) => routeTo(waypoint).ports);
  }

  /** At most so many nodes of the map, this one and then the nearest to it. */
  nearest(countMax: number, nowMs: number): Waypoint[] {
    this.#nowMs = nowMs;
    return this.map.survey(this.#ownRecord().id, nowMs, { nodesMax: countMax });
  }

  /** How far a ball reaches, the own one or that of a node: see `BallMap.reachMs`. */
  reachMs(id: string | undefined, nowMs: number): number {
    return this.map.reachMs(id ?? this.#ownRecord().id, nowMs);
  }

  /** Asks for the records of the nodes that a route passes and that are not on the map. */
  askAlong(ports: Uint16Array, nowMs: number): void {
    const { nodes } = this.map.trace(ports, nowMs);
    for (const [i, id] of nodes.entries())
      if (id === "" || this.map.get(id, nowMs) === undefined)
        this.#ask(ports.slice(0, i + 1), id === "" ? undefined : id, nowMs);
  }

  /** Asks for the records of the neighbours of the nodes that a route passes, where they are not on the map: of shorter ways beside it. */
  askAround(ports: Uint16Array, nowMs: number): void {
    const asked = new Set<string>();
    for (const [i, at] of this.map.trace(ports, nowMs).nodes.entries())
      for (const { id, port } of this.map.get(at, nowMs)?.links ?? []) {
        if (!this.#isMissing(id, nowMs) || asked.has(id)) continue;
        asked.add(id);
        this.#ask(Uint16Array.of(...ports.subarray(0, i + 1), port), id, nowMs);
      }
  }

  /** The own ball, as others get it: at most `size` records, the own first, in parts of at most `bytesMax` bytes. */
  parts(size: number, bytesMax: number, nowMs: number): Uint8Array[] {
    this.#nowMs = nowMs;
    const parts: Uint8Array[][] = [[]];
    let room = bytesMax;
    for (const bytes of this.#nearest(size, nowMs)) {
      if (bytes.length > bytesMax) continue;
      if (bytes.length > room) {
        parts.push([]);
        room = bytesMax;
      }
      parts.at(-1)!.push(bytes);
      room -= bytes.length;
    }
    return parts.map((part) => concatBytes(...part));
  }

  handleTimeout(nowMs: number): void {
    this.#nowMs = nowMs;
    if (nowMs < this.#nextMs) return;
    this.#nextMs = Number.POSITIVE_INFINITY;
    for (const [nonce, { id, deadlineMs }] of this.#asked) {
      if (deadlineMs > nowMs) this.#nextMs = Math.min(this.#nextMs, deadlineMs);
      else {
        this.#asked.delete(nonce);
        this.stats.ballsUnanswered++;
        if (id !== undefined) this.#silent.set(id, nowMs + this.deps.config.ballSilentMs);
      }
    }
    if (this.#asked.size === 0) this.#grow(nowMs);
  }

  pollTimeout(): number {
    return this.#nextMs;
  }

  /** Asks the nearest nodes whose records are missing, some at a time. */
  #grow(nowMs: number): void {
    const waypoints = this.map.survey(this.#ownRecord().id, nowMs, { nodesMax: this.#size });
    const missing = waypoints.filter(({ id, hops }) => hops > 0 && this.#isMissing(id, nowMs));
    for (const waypoint of missing.slice(0, WAVE)) this.#ask(routeTo(waypoint).ports, waypoint.id, nowMs);
    this.#isGrown = this.#asked.size === 0;
  }

  /** Its record is not known, and it did not fail to give it just now. */
  #isMissing(id: string, nowMs: number): boolean {
    return (this.#silent.get(id) ?? 0) <= nowMs && this.map.get(id, nowMs) === undefined;
  }

  #ask(route: Uint16Array, id: string | undefined, nowMs: number): void {
    if (this.#asked.size >= ASKED_MAX || !this.#requests.take(nowMs)) {
      this.stats.ballsRefused++;
      return;
    }
    const nonce = this.deps.random(8);
    this.stats.ballsAsked++;
    const request = { hops: 0, index: 0, nonce, route: route.slice(), padding: PADDING };
    const egress = this.relay.sendForth(request, 0, nowMs, (moved) =>
      BALL_REQUEST.encode({ ...moved, route: encodePorts(moved.route) }),
    );
    if (egress <= 0) return;
    const deadlineMs = nowMs + this.deps.config.ballWaitMs;
    this.#asked.set(toHex(nonce), { id, route, deadlineMs });
    this.#nextMs = Math.min(this.#nextMs, deadlineMs);
  }

  /** What a BALL tells: made anew once a second at most. */
  #records(nowMs: number): Uint8Array {
    if (nowMs - this.#answerMs >= OWN_MS) {
      this.#answer = this.parts(WAVE, BALL_RECORDS_BYTES_MAX, nowMs)[0]!;
      this.#answerMs = nowMs;
    }
    return this.#answer;
  }

  /** The bytes of the nearest `size` records, the own first. */
  *#nearest(size: number, nowMs: number): Iterable<Uint8Array> {
    yield this.#encodeOwn();
    for (const { id, hops } of this.map.survey(this.#ownRecord().id, nowMs, { nodesMax: size })) {
      const bytes = hops > 0 ? this.map.bytesOf(id, nowMs) : undefined;
      if (bytes !== undefined) yield bytes;
    }
  }

  /** A leaf is nobody's relay: its record has no links. */
  #encodeOwn(): Uint8Array {
    const peers = this.deps.leaf === true ? [] : [...this.view.peers()].sort((a, b) => a.rttMs - b.rttMs);
    const id = this.view.key.subarray(0, ID_BYTES);
    const links = peers.slice(0, RECORD_LINKS_MAX).map(({ port, key, rttMs }) => ({
      port,
      id: key.subarray(0, ID_BYTES),
      delayMs: rttMs / 2,
    }));
    return encodeRecord(id, links);
  }

  /** This node's links, all of them; looked up once a second at most. */
  #ownRecord(): BallRecord {
    if (this.#own === undefined || this.#nowMs - this.#ownMs >= OWN_MS) {
      const links = [...this.view.peers()].map(({ port, key, rttMs }) => ({ port, id: idOf(key), delayMs: rttMs / 2 }));
      this.#own = { id: idOf(this.view.key), links };
      this.#ownMs = this.#nowMs;
    }
    return this.#own;
  }

  #refuse(code: Refusal): Refusal {
    countDrop(this.deps.drops, DropReason.MALFORMED);
    return code;
  }
}

/** Records of a ball that is pulled for detours alone. */
const DETOUR_RECORDS = 32;
/** Nodes asked at once. */
const WAVE = 16;
/** Requests that are out at once: those of a wave, and of the nodes on a few routes. */
const ASKED_MAX = 256;
const SILENT_MAX = 256;
const OWN_MS = 1_000;
