import { SignTag, signedMessage } from "../crypto/sign.js";
import { equalBytes } from "../wire/bytes.js";
import { CloseCode, DropReason } from "../wire/codes.js";
import { ROUTE_BROKEN } from "../wire/control.js";

import { Kind } from "../wire/kinds.js";
import { LOCATOR_BYTES_MAX, SIGNATURE_BYTES } from "../wire/limits.js";
import { decodePlace, locatorPlace } from "../wire/locator.js";
import { PROBE_REPLY } from "../wire/probe.js";
import type { Refusal } from "../wire/skim.js";
import { Answers } from "./answers.js";
import { Balls } from "./balls.js";
import type { Destination } from "./destination.js";
import { countDrop } from "./drops.js";
import { idOf } from "./entry.js";
import { Locators, type SignedLocator, type StoredLocator } from "./locators.js";
import type { PathDeps } from "./path-deps.js";
import { createPathStats } from "./path-stats.js";
import type { RoutingView } from "./peer.js";
import { PortBudgets } from "./port-budgets.js";
import { ProbeRelay } from "./probe-relay.js";
import { type Answer, type Inquiry, Probes } from "./probes.js";
import type { Route } from "./route.js";
import { type RouteEvent, Routes } from "./routes.js";

/** What the end of a route answered to `probeRoute`. */
export interface RouteAnswer {
  readonly key: Uint8Array;
  readonly rttMs: number;
}

export type PathEvent =
  | RouteEvent
  /** A locator that was not known before, for the disk. */
  | { readonly type: "locator"; readonly locator: StoredLocator }
  /** The end of what `probeRoute` asked; without an answer where none came. */
  | { readonly type: "probed"; readonly request: number; readonly answer: RouteAnswer | undefined };

/**
 * Ways to keys: relays and answers probes, and finds, measures and keeps the routes of this node. A sans-IO machine: after any
 * `handleX` or question, poll events until there are none, and call `handleTimeout` at `pollTimeout`. What it sends stands in `Queues`.
 *
 * Each handler of a frame gives the code that the peer is told where the frame does not have its layout, else undefined.
 */
export class Paths {
  readonly stats = createPathStats();
  readonly #relay: ProbeRelay;
  readonly #answers: Answers;
  readonly #probes: Probes;
  readonly #routes: Routes;
  readonly #locators: Locators;
  readonly balls: Balls;
  readonly #budgets: PortBudgets;
  readonly #requests = new Map<Inquiry, number>();
  #requestCount = 0;
  readonly #events: PathEvent[] = [];

  constructor(
    private readonly view: RoutingView,
    private readonly deps: PathDeps,
    nowMs: number,
  ) {
    const { config, random } = deps;
    this.#relay = new ProbeRelay(view, deps.queues, deps.drops, config);
    this.#answers = new Answers(view, this.#relay, deps, this.stats, nowMs);
    this.#locators = new Locators(config.locatorsMax, this.stats);
    this.balls = new Balls(view, this.#relay, deps, this.stats, nowMs);
    this.#probes = new Probes(this.#relay, this.#locators, this.balls, deps, this.stats);
    this.#routes = new Routes(this.#probes, this.#locators, this.balls, random, config, this.stats);
    this.#budgets = new PortBudgets(config.probeRatePerS, config.probeBurst);
  }

  /** A PROBE: sent on, or answered where this node is its target. */
  handleProbe(frame: Uint8Array, ingress: number, nowMs: number): Refusal | undefined {
    if (!this.#budgets.take(ingress, nowMs)) {
      countDrop(this.deps.drops, DropReason.PROBE_RATE);
      return undefined;
    }
    const egress = this.#relay.forward(frame, ingress, nowMs);
    if (egress === 0) this.#answers.answer(frame, ingress, nowMs);
    return egress === DropReason.MALFORMED ? CloseCode.MALFORMED : undefined;
  }

  /** A PROBE_REPLY: sent on, or taken as the answer to a question of this node. */
  handleProbeReply(frame: Uint8Array, ingress: number, nowMs: number): Refusal | undefined {
    const reply = PROBE_REPLY.decode(frame);
    if (typeof reply === "number") return this.#refuse(reply);
    if (!this.#relay.takeReplyDue(ingress)) {
      countDrop(this.deps.drops, DropReason.UNASKED);
      return undefined;
    }
    const egress = this.#relay.sendBack(reply, ingress, (moved) => PROBE_REPLY.encode(moved), frame);
    if (egress === 0) {
      const answer = this.#probes.handleReply(reply, ingress, nowMs);
      if (answer !== undefined) this.#handleAnswer(answer, nowMs);
    }
    return undefined;
  }

  /** A ROUTE_BROKEN: sent on, or taken as a hint about a route of this node. */
  handleRouteBroken(frame: Uint8Array, ingress: number, nowMs: number): Refusal | undefined {
    const report = ROUTE_BROKEN.decode(frame);
    if (typeof report === "number") return this.#refuse(report);
    if (!this.#budgets.take(ingress, nowMs)) {
      countDrop(this.deps.drops, DropReason.PROBE_RATE);
      return undefined;
    }
    const egress = this.#relay.sendBack(report, ingress, (moved) => ROUTE_BROKEN.encode(moved), frame, nowMs);
    if (egress === 0 && !this.#routes.handleBroken(report.routeId, nowMs))
      countDrop(this.deps.drops, DropReason.UNASKED);
    return undefined;
  }

  /** A BALL_REQUEST or BALL: sent on, answered, or taken. Requests draw on the budget of probes, answers are bounded by them. */
  handleBallFrame(frame: Uint8Array, kind: number, ingress: number, nowMs: number): Refusal | undefined {
    if (kind === Kind.BALL) return this.balls.handleBall(frame, ingress, nowMs);
    if (this.#budgets.take(ingress, nowMs)) return this.balls.handleRequest(frame, ingress, nowMs);
    countDrop(this.deps.drops, DropReason.PROBE_RATE);
    return undefined;
  }

  /** The link is gone. Called once it is out of the view and of `Queues`. */
  handleLinkDown(port: number, nowMs: number): void {
    this.#budgets.handleLinkDown(port);
    this.#relay.handleLinkDown(port);
    this.balls.handleLinkDown();
    this.#routes.handleLinkDown(port, nowMs);
  }

  /**
   * Looks for a route to `key`; a `route` or `unreachable` event follows. A locator that came from elsewhere is verified first and
   * dropped where it is false. Counts a drop where the key is this node's own: no event follows then. `isForeign` says that only the
   * other node wants it.
   */
  findRoute(key: Uint8Array, locator: SignedLocator | undefined, nowMs: number, isForeign = false): void {
    if (equalBytes(key, this.view.key)) {
      countDrop(this.deps.drops, DropReason.SELF);
      return;
    }
    if (locator !== undefined) this.handleLocator(key, locator);
    this.#routes.find(key, nowMs, isForeign);
  }

  /** The best known route. Whoever sends by it calls `handleRouteUse`. */
  route(key: Uint8Array): Route | undefined {
    return this.#routes.get(key);
  }

  /** All that is known of the ways to a key. */
  about(key: Uint8Array): Destination | undefined {
    return this.#routes.about(key);
  }

  get destinationCount(): number {
    return this.#routes.destinationCount;
  }

  /** Every destination, the one needed last first. */
  destinations(): Iterable<Destination> {
    return this.#routes.destinations();
  }

  /** A confirmed route beside the best one. */
  spare(key: Uint8Array): Route | undefined {
    return this.#routes.spare(key);
  }

  handleRouteUse(route: Route, nowMs: number): void {
    this.#routes.handleUse(route, nowMs);
  }

  /** See `Routes.handleHint`: the way back of an authenticated packet of the session with `key`. */
  handleHint(key: Uint8Array, ports: Uint16Array, nowMs: number): void {
    this.#routes.handleHint(key, ports, nowMs);
  }

  /** See `Routes.handleDoubt`. */
  handleRouteDoubt(key: Uint8Array, ptoCount: number, nowMs: number): void {
    this.#routes.handleDoubt(key, ptoCount, nowMs);
  }

  /**
   * Probes a route: is `target` at its end, or, with `ANYONE`, who is; `rttMs` is the round trip to be expected, 0 where unknown. Gives
   * the number that the `probed` event will carry; 0 where too many questions are open or `ports` is empty: no event follows then.
   */
  probeRoute(ports: Uint16Array, target: Uint8Array, rttMs: number, nowMs: number): number {
    if (ports.length === 0) return 0;
    const question = { kind: "request", target: target.slice(), routes: [ports.slice()], rttMs } as const;
    const inquiry = this.#probes.ask(question, nowMs);
    if (inquiry === undefined) return 0;
    this.#requests.set(inquiry, ++this.#requestCount);
    return this.#requestCount;
  }

  /**
   * Probes the routes to `key` that the map has, the shortest and those that share no node with it. Gives the delay of the shortest;
   * infinite where the map has none.
   */
  join(key: Uint8Array, nowMs: number): number {
    const routes = this.balls.map.routes(idOf(key), this.deps.config.candidatesMax, nowMs);
    this.#routes.offer(
      key,
      routes.map(({ ports }) => ports),
      nowMs,
    );
    return routes[0]?.delayMs ?? Number.POSITIVE_INFINITY;
  }

  /** The newest known locator of `key`. */
  locator(key: Uint8Array): SignedLocator | undefined {
    return this.#locators.get(key);
  }

  /** Locators as `dumpLocators` gave them, from the disk: trusted. */
  loadLocators(locators: Iterable<StoredLocator>): void {
    for (const locator of locators) this.#locators.put(locator.key, locator, false);
  }

  dumpLocators(): StoredLocator[] {
    return this.#locators.dump();
  }

  /** Takes a locator of `key` that is newer than the known one and truly signed; false where it is false. */
  handleLocator(key: Uint8Array, locator: SignedLocator, isFresh = false): boolean {
    if (this.#locators.has(key, locator)) return true;
    const { crypto, networkId } = this.deps;
    const isTrue =
      locator.bytes.length <= LOCATOR_BYTES_MAX &&
      locator.signature.length === SIGNATURE_BYTES &&
      decodePlace(locatorPlace(locator.bytes)) !== undefined &&
      crypto.verify(signedMessage(SignTag.LOCATOR, networkId, locator.bytes), locator.signature, key);
    if (!isTrue) {
      this.stats.locatorsBad++;
      return false;
    }
    const stored = this.#locators.put(key, locator, isFresh);
    if (stored !== undefined) this.#events.push({ type: "locator", locator: stored });
    return true;
  }

  handleTimeout(nowMs: number): void {
    const { repeated, failed } = this.#probes.handleTimeout(nowMs);
    for (const inquiry of repeated) this.#routes.handleSilence(inquiry, nowMs);
    for (const inquiry of failed) {
      if (inquiry.question.kind === "request") this.#endRequest(inquiry, undefined);
      else this.#routes.handleFailure(inquiry, nowMs);
    }
    this.#routes.handleTimeout(nowMs);
    this.balls.handleTimeout(nowMs);
  }

  pollTimeout(): number {
    return Math.min(this.#probes.pollTimeout(), this.#routes.pollTimeout(), this.balls.pollTimeout());
  }

  pollEvent(): PathEvent | undefined {
    return this.#events.shift() ?? this.#routes.pollEvent();
  }

  #refuse(code: Refusal): Refusal {
    countDrop(this.deps.drops, DropReason.MALFORMED);
    return code;
  }

  #handleAnswer(answer: Answer, nowMs: number): void {
    const { inquiry, key, rttMs, locator } = answer;
    this.handleLocator(key, locator, true);
    if (inquiry.question.kind === "request") this.#endRequest(inquiry, { key: key.slice(), rttMs });
    else this.#routes.handleAnswer(answer, nowMs);
  }

  #endRequest(inquiry: Inquiry, answer: RouteAnswer | undefined): void {
    const request = this.#requests.get(inquiry);
    this.#requests.delete(inquiry);
    if (request !== undefined) this.#events.push({ type: "probed", request, answer });
  }
}
