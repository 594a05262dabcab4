import { SharedBudget } from "../wire/budget.js";
import { equalBytes, readUint16 } from "../wire/bytes.js";
import { DropReason } from "../wire/codes.js";
import { DEPTH_NONE } from "../wire/data.js";
import { editStepBack } from "../wire/layout.js";
import { HOP_LIMIT } from "../wire/limits.js";
import { decodePlace } from "../wire/locator.js";
import {
  ANYONE,
  editProbeKey,
  editProbeNearest,
  editProbeStep,
  isProbe,
  ProbeMode,
  probeDepth,
  probeDetour,
  probeDown,
  probeHops,
  probeIndex,
  probeLength,
  probeMask,
  probeMode,
  probeNearest,
  probePlace,
  probeRoutePort,
  probeTarget,
  probeTree,
} from "../wire/probe.js";
import { countDrop, type Drops } from "./drops.js";
import { type KeyCourse, stepByKey } from "./key-step.js";
import type { PathConfig } from "./path-config.js";
import type { RoutingView } from "./peer.js";
import type { Queues } from "./queues.js";
import { stepByTree } from "./tree-step.js";

/** What PROBE_REPLY and ROUTE_BROKEN have in common: a route back, and how far they are on it. */
export interface OnTheWayBack {
  hops: number;
  index: number;
  back: Uint8Array;
}

/** What has a source route, and how far it is on it. */
export interface OnTheWayForth {
  hops: number;
  index: number;
  route: Uint16Array;
}

/** Moves PROBE and BALL_REQUEST on, and PROBE_REPLY, ROUTE_BROKEN and BALL back. Decides nothing by what it saw before. */
export class ProbeRelay {
  /** Per port, the probes that left there and may still be answered: nobody sends us more replies than that. */
  readonly #repliesDue = new Map<number, number>();
  /** Per port, what may leave there of probes and reports. */
  readonly #budgets = new Map<number, SharedBudget>();

  constructor(
    private readonly view: RoutingView,
    private readonly queues: Queues,
    private readonly drops: Drops,
    private readonly config: PathConfig,
  ) {}

  handleLinkDown(port: number): void {
    this.#repliesDue.delete(port);
    this.#budgets.delete(port);
  }

  /** The port by which a PROBE left, 0 where it is for this node, or the counted drop reason. Edits the frame. */
  forward(frame: Uint8Array, ingress: number, nowMs: number): number {
    if (!isProbe(frame)) return countDrop(this.drops, DropReason.MALFORMED);
    if (probeIndex(frame) === 0 && ingress !== 0) return countDrop(this.drops, DropReason.ROUTE_LENGTH);
    const mode = probeMode(frame);
    if (mode === ProbeMode.SOURCE) return this.#forwardBySource(frame, ingress, nowMs);
    if (equalBytes(probeTarget(frame), this.view.key)) return 0;
    return mode === ProbeMode.KEY
      ? this.#forwardByKey(frame, ingress, nowMs)
      : this.#forwardByTree(frame, ingress, nowMs);
  }

  /** True, once a probe, for a reply that comes in by a port that a probe left by. */
  takeReplyDue(port: number): boolean {
    const due = this.#repliesDue.get(port) ?? 0;
    if (due > 0) this.#repliesDue.set(port, due - 1);
    return due > 0;
  }

  /**
   * The port by which a frame on its way back left, 0 where it has arrived here, or the counted drop reason. A `frame` that came in is
   * moved on in place, where its counter keeps its size; else `encode` makes it anew. With `nowMs` it draws on the budget of probes that leave by that port; a reply does not, as
   * it is bounded by the probes before it.
   */
  sendBack<F extends OnTheWayBack>(
    values: F,
    ingress: number,
    encode: (moved: F) => Uint8Array,
    frame?: Uint8Array,
    nowMs?: number,
  ): number {
    const { hops, index, back } = values;
    if (2 * index > back.length) return countDrop(this.drops, DropReason.ROUTE_LENGTH);
    if (2 * index === back.length) return 0;
    if (hops >= HOP_LIMIT) return countDrop(this.drops, DropReason.HOP_LIMIT);
    const port = readUint16(back, 2 * index);
    if (port === ingress) return countDrop(this.drops, DropReason.IN_EQUALS_OUT);
    if (this.queues.get(port) === undefined) return countDrop(this.drops, DropReason.NO_LINK);
    if (nowMs !== undefined && !this.#mayLeave(ingress, port, nowMs))
      return countDrop(this.drops, DropReason.PROBE_RATE);
    const moved =
      frame !== undefined && editStepBack(frame) ? frame : encode({ ...values, hops: hops + 1, index: index + 1 });
    return this.queues.pushProbe(port, moved, ingress) ? port : countDrop(this.drops, DropReason.QUEUE_FULL);
  }

  /**
   * The port by which a source-routed frame left, 0 where its route ends here, or the counted drop reason. The port read is overwritten
   * with `ingress`. An answer to it may come back.
   */
  sendForth<F extends OnTheWayForth>(
    values: F,
    ingress: number,
    nowMs: number,
    encode: (moved: F) => Uint8Array,
  ): number {
    const { hops, index, route } = values;
    if (index > route.length || (index === 0 && ingress !== 0)) return countDrop(this.drops, DropReason.ROUTE_LENGTH);
    if (index === route.length) return 0;
    const port = route[index]!;
    if (port === ingress) return countDrop(this.drops, DropReason.IN_EQUALS_OUT);
    const reason = this.#refusal(hops, ingress, port, nowMs);
    if (reason !== undefined) return countDrop(this.drops, reason);
    route[index] = ingress;
    const moved = encode({ ...values, hops: hops + 1, index: index + 1 });
    if (!this.queues.pushProbe(port, moved, ingress)) return countDrop(this.drops, DropReason.QUEUE_FULL);
    this.#noteReplyDue(port);
    return port;
  }

  #forwardBySource(frame: Uint8Array, ingress: number, nowMs: number): number {
    const index = probeIndex(frame);
    if (index === probeLength(frame)) {
      const target = probeTarget(frame);
      if (equalBytes(target, this.view.key) || equalBytes(target, ANYONE)) return 0;
      if (!probeDetour(frame)) return countDrop(this.drops, DropReason.WRONG_NODE);
      const course = { tree: probeTree(frame), mask: probeMask(frame), isDown: false, depth: DEPTH_NONE };
      return this.#followKey(frame, ingress, course, nowMs);
    }
    const port = probeRoutePort(frame, index);
    return port === ingress
      ? countDrop(this.drops, DropReason.IN_EQUALS_OUT)
      : this.#leave(frame, ingress, port, nowMs);
  }

  #forwardByKey(frame: Uint8Array, ingress: number, nowMs: number): number {
    const course = {
      tree: probeTree(frame),
      mask: probeMask(frame),
      isDown: probeDown(frame),
      depth: probeDepth(frame),
    };
    return this.#followKey(frame, ingress, course, nowMs);
  }

  #forwardByTree(frame: Uint8Array, ingress: number, nowMs: number): number {
    const place = decodePlace(probePlace(frame));
    if (place === undefined) return countDrop(this.drops, DropReason.MALFORMED);
    const step = stepByTree(this.view, probeTarget(frame), place, probeNearest(frame), ingress);
    if (step === undefined)
      return this.#followKey(frame, ingress, { tree: 0, mask: 0, isDown: false, depth: DEPTH_NONE }, nowMs);
    if (step.port === 0) return countDrop(this.drops, DropReason.NOT_NEARER);
    editProbeNearest(frame, step.nearest);
    return this.#leave(frame, ingress, step.port, nowMs);
  }

  #followKey(frame: Uint8Array, ingress: number, course: KeyCourse, nowMs: number): number {
    const port = stepByKey(this.view, probeTarget(frame), course, ingress, false);
    if (port === 0) return countDrop(this.drops, DropReason.NO_WAY);
    editProbeKey(frame, course.tree, course.mask, course.isDown, course.depth);
    return this.#leave(frame, ingress, port, nowMs);
  }

  #leave(frame: Uint8Array, ingress: number, port: number, nowMs: number): number {
    const reason = this.#refusal(probeHops(frame), ingress, port, nowMs);
    if (reason !== undefined) return countDrop(this.drops, reason);
    if (!editProbeStep(frame, ingress, port)) return countDrop(this.drops, DropReason.ROUTE_LENGTH);
    if (!this.queues.pushProbe(port, frame, ingress)) return countDrop(this.drops, DropReason.QUEUE_FULL);
    this.#noteReplyDue(port);
    return port;
  }

  #refusal(hops: number, ingress: number, port: number, nowMs: number): DropReason | undefined {
    if (hops >= HOP_LIMIT) return DropReason.HOP_LIMIT;
    if (this.queues.get(port) === undefined) return DropReason.NO_LINK;
    return this.#mayLeave(ingress, port, nowMs) ? undefined : DropReason.PROBE_RATE;
  }

  #noteReplyDue(port: number): void {
    this.#repliesDue.set(port, Math.min((this.#repliesDue.get(port) ?? 0) + 1, this.config.repliesDueMax));
  }

  #mayLeave(ingress: number, port: number, nowMs: number): boolean {
    let budget = this.#budgets.get(port);
    if (budget === undefined) {
      budget = new SharedBudget(this.config.probeRatePerS, this.config.probeBurst, nowMs);
      this.#budgets.set(port, budget);
    }
    return budget.take(ingress, nowMs);
  }
}
