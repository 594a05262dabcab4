import { equalBytes, toHex } from "../wire/bytes.js";
import { DropReason } from "../wire/codes.js";
import { TREE_COUNT } from "../wire/limits.js";
import { locatorPlace } from "../wire/locator.js";
import { ANYONE, encodeProbe, ProbeMode, type ProbeReply } from "../wire/probe.js";
import { replyMessage } from "./answers.js";
import { countDrop } from "./drops.js";
import type { Locators, SignedLocator } from "./locators.js";
import type { PathDeps } from "./path-deps.js";
import type { PathStats } from "./path-stats.js";
import { decodePorts, equalPorts } from "./ports.js";
import type { ProbeRelay } from "./probe-relay.js";
import type { FoundBy } from "./route.js";

/** What a node asks of the mesh: one or more probes at a time, repeated until a reply comes or the tries are over. */
export interface Question {
  /**
   * find: where is the key, by locator first, or at once by every means where `isUrgent`. check: does the route in use, which is the
   * only one of `routes`, lead there; spares: which others do; offer: which of those that the map has. relocate: is there a better way
   * by its locator, or where `isUrgent` any other.
   * request: a check for the user, whose answer is an event.
   */
  readonly kind: "find" | "check" | "spares" | "offer" | "relocate" | "request";
  /** The key asked for; `ANYONE` asks who is at the end of the route. */
  readonly target: Uint8Array;
  /** Routes to be probed, all at once. Without them the key is looked for. */
  readonly routes?: readonly Uint16Array[];
  readonly isUrgent?: boolean;
  /** The round-trip time to be expected; 0 where unknown. */
  readonly rttMs?: number;
  /** True where only others caused it, as keys cost them nothing: then half of the room is left to what this node wants itself. */
  readonly isForeign?: boolean;
}

/** A question that was asked. */
export class Inquiry {
  tryCount = 0;
  deadlineMs = 0;
  isAnswered = false;
  /** A search that failed, of which replies still count: they may have a long way. */
  isOver = false;
  readonly nonces: string[] = [];

  constructor(readonly question: Question) {}
}

/** A valid reply. */
export interface Answer {
  readonly inquiry: Inquiry;
  readonly key: Uint8Array;
  readonly ports: Uint16Array;
  /** The ports from the target to this node. */
  readonly back: Uint16Array;
  readonly rttMs: number;
  readonly locator: SignedLocator;
  /** What its probe went by. */
  readonly foundBy: FoundBy;
  /** The question had its answer, or failed: this one shows another way. */
  readonly isLate: boolean;
}

/** Where a search begins that found nothing from here, and what is known of the nodes around. */
export interface Detours {
  /** There may be need of detours soon. */
  prepare(nowMs: number): void;
  /** Routes to at most `count` nodes around, at random. */
  detours(count: number, nowMs: number): Uint16Array[];
  /** Routes to a key that is among the nodes around: see `RouteMap`. */
  routesTo(key: Uint8Array, count: number, others: readonly Uint16Array[], nowMs: number): Uint16Array[];
}

/** Questions without an answer: their tries go on, or are over. */
export interface Silences {
  readonly repeated: readonly Inquiry[];
  readonly failed: readonly Inquiry[];
}

const ALL_TREES = (1 << TREE_COUNT) - 1;

/** The tries of a search that make detours as well, and those whose probes may change the tree and so go around roots. */
const DETOUR_TRIES: readonly number[] = [2, 3, 5];
const OPEN_TRIES: readonly number[] = [1, 3, 5];
/** Routes that such a try takes from the map: a node near by may be far in every tree. */
const MAP_ROUTES = 2;

/** Tries of a question that is worth fewer than others. */
const TRIES_MAX: Partial<Record<Question["kind"], number>> = { check: 3, request: 3, relocate: 1, spares: 2, offer: 1 };

const BY_TREE: readonly FoundBy[] = ["tree 0", "tree 1", "tree 2"];

/** One probe that is out. */
interface Outstanding {
  readonly inquiry: Inquiry;
  readonly sentMs: number;
  readonly foundBy: FoundBy;
  badReplies: number;
}

/** The probes of this node that await their replies. Each has a nonce of its own, so that one relay can only spoil what passes it. */
export class Probes {
  readonly #inquiries = new Set<Inquiry>();
  readonly #outstanding = new Map<string, Outstanding>();
  /** Searches among the inquiries that are over. */
  #overCount = 0;
  /** No deadline is earlier. */
  #nextMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly relay: ProbeRelay,
    private readonly locators: Locators,
    private readonly detours: Detours,
    private readonly deps: PathDeps,
    private readonly stats: PathStats,
  ) {}

  /** Sends the first probes of a question; undefined where too many are open. */
  ask(question: Question, nowMs: number): Inquiry | undefined {
    const { inquiriesMax } = this.deps.config;
    if (this.#inquiries.size - this.#overCount >= (question.isForeign === true ? inquiriesMax / 2 : inquiriesMax)) {
      this.stats.inquiriesRefused++;
      return undefined;
    }
    const inquiry = new Inquiry(question);
    this.#inquiries.add(inquiry);
    this.#try(inquiry, nowMs);
    return inquiry;
  }

  /** The answer that a reply for this node is, if it is the first valid one to its probe. Its views belong to the reply's frame. */
  handleReply(reply: ProbeReply, ingress: number, nowMs: number): Answer | undefined {
    const nonce = toHex(reply.nonce);
    const outstanding = this.#outstanding.get(nonce);
    if (outstanding === undefined) {
      countDrop(this.deps.drops, DropReason.UNASKED);
      return undefined;
    }
    const { inquiry, sentMs, foundBy } = outstanding;
    const isLate = inquiry.isAnswered || inquiry.isOver;
    if (inquiry.isAnswered && inquiry.question.routes?.length === 1) {
      this.stats.repliesLate++;
      return undefined;
    }
    const ports = decodePorts(reply.forward);
    if (
      outstanding.badReplies >= this.deps.config.badRepliesMax ||
      !fits(reply, ports, ingress, inquiry.question) ||
      !this.#isSigned(reply)
    ) {
      outstanding.badReplies++;
      this.stats.repliesBad++;
      return undefined;
    }
    if (isLate) this.stats.repliesLate++;
    else this.stats.repliesTaken++;
    this.#end(inquiry, nonce);
    const locator = { bytes: reply.locator, signature: reply.locatorSignature };
    const rttMs = nowMs - sentMs;
    return { inquiry, key: reply.key, ports, back: decodePorts(reply.back), rttMs, locator, foundBy, isLate };
  }

  /** Asks again what was not answered in time, as often as it may be asked. */
  handleTimeout(nowMs: number): Silences {
    const repeated: Inquiry[] = [];
    const failed: Inquiry[] = [];
    if (nowMs < this.#nextMs) return { repeated, failed };
    this.#nextMs = Number.POSITIVE_INFINITY;
    for (const inquiry of this.#inquiries) {
      if (inquiry.deadlineMs > nowMs) {
        this.#nextMs = Math.min(this.#nextMs, inquiry.deadlineMs);
      } else if (inquiry.isAnswered || inquiry.isOver) {
        this.#forget(inquiry);
      } else if (inquiry.tryCount < this.#triesMax(inquiry)) {
        this.#try(inquiry, nowMs);
        repeated.push(inquiry);
      } else {
        this.#fail(inquiry, nowMs);
        failed.push(inquiry);
      }
    }
    return { repeated, failed };
  }

  pollTimeout(): number {
    return this.#nextMs;
  }

  #triesMax(inquiry: Inquiry): number {
    const { length } = this.deps.config.tryMs;
    return Math.min(TRIES_MAX[inquiry.question.kind] ?? length, length);
  }

  #try(inquiry: Inquiry, nowMs: number): void {
    const waitMs = Math.max(this.deps.config.tryMs[inquiry.tryCount]!, 3 * (inquiry.question.rttMs ?? 0));
    this.#send(inquiry, nowMs);
    inquiry.tryCount++;
    inquiry.deadlineMs = nowMs + waitMs;
    this.#nextMs = Math.min(this.#nextMs, inquiry.deadlineMs);
  }

  #send(inquiry: Inquiry, nowMs: number): void {
    const { kind, target, routes, isUrgent, isForeign } = inquiry.question;
    const send = (foundBy: FoundBy, mode: ProbeMode, options: Parameters<typeof encodeProbe>[3]): void => {
      const nonce = this.deps.random(8);
      this.#outstanding.set(toHex(nonce), { inquiry, sentMs: nowMs, foundBy, badReplies: 0 });
      inquiry.nonces.push(toHex(nonce));
      this.stats.probesSent++;
      this.relay.forward(encodeProbe(mode, nonce, target, options), 0, nowMs);
    };
    if (routes !== undefined) {
      for (const route of routes) send("map", ProbeMode.SOURCE, { route });
      return;
    }
    const locator = this.locators.get(target);
    if (locator !== undefined) send("locator", ProbeMode.TREE, { place: locatorPlace(locator.bytes) });
    const isByLocator = kind === "relocate" || (locator !== undefined && inquiry.tryCount === 0);
    if (isByLocator && isUrgent !== true) return;
    const isOpen = kind === "find" && OPEN_TRIES.includes(inquiry.tryCount);
    for (let tree = 0; tree < TREE_COUNT; tree++)
      send(BY_TREE[tree]!, ProbeMode.KEY, { tree, mask: isOpen ? 0 : ALL_TREES & ~(1 << tree) });
    if (kind !== "find" || isForeign === true) return;
    if (inquiry.tryCount > 0) this.detours.prepare(nowMs);
    if (!DETOUR_TRIES.includes(inquiry.tryCount)) return;
    for (const route of this.detours.routesTo(target, MAP_ROUTES, [], nowMs)) send("map", ProbeMode.SOURCE, { route });
    for (const [i, route] of this.detours.detours(this.deps.config.detoursMax, nowMs).entries())
      send("detour", ProbeMode.SOURCE, { route, tree: i % TREE_COUNT, isDetour: true });
  }

  #isSigned(reply: ProbeReply): boolean {
    return this.deps.crypto.verify(replyMessage(this.deps.networkId, reply), reply.signature, reply.key);
  }

  /** Answered by the probe of `nonce`. Its other probes are remembered to their deadline: late replies show other ways. */
  #end(inquiry: Inquiry, nonce: string): void {
    inquiry.isAnswered = true;
    if (inquiry.nonces.length === 1) this.#forget(inquiry);
    else this.#outstanding.delete(nonce);
  }

  /** No more is asked. To a search replies may still come that have a long way. */
  #fail(inquiry: Inquiry, nowMs: number): void {
    const { inquiriesMax, replyMs } = this.deps.config;
    if (inquiry.question.kind !== "find" || this.#overCount >= inquiriesMax) {
      this.#forget(inquiry);
      return;
    }
    inquiry.isOver = true;
    this.#overCount++;
    inquiry.deadlineMs = nowMs + replyMs;
    this.#nextMs = Math.min(this.#nextMs, inquiry.deadlineMs);
  }

  #forget(inquiry: Inquiry): void {
    if (inquiry.isOver) this.#overCount--;
    for (const nonce of inquiry.nonces) this.#outstanding.delete(nonce);
    this.#inquiries.delete(inquiry);
  }
}

/** True where a reply can belong to its probe, but for the signature: the key, and the route, which begins where the reply came in. */
function fits(reply: ProbeReply, ports: Uint16Array, ingress: number, question: Question): boolean {
  if (!equalBytes(question.target, ANYONE) && !equalBytes(question.target, reply.key)) return false;
  if (reply.forward.length !== reply.back.length || ports[0] !== ingress) return false;
  return question.routes === undefined || question.routes.some((route) => equalPorts(route, ports));
}
