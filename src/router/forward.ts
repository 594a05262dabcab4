import { DropReason } from "../wire/codes.js";
import { ROUTE_BROKEN } from "../wire/control.js";
import {
  BIT_DOWN,
  BIT_KEY,
  dataBits,
  dataDepth,
  dataDestination,
  dataHops,
  dataIndex,
  dataIsFor,
  dataMask,
  dataRouteBack,
  dataRouteId,
  dataRouteLength,
  dataRoutePort,
  dataTree,
  editCongestion,
  editFallBack,
  editHops,
  editKeyStep,
  editSourceStep,
  isData,
} from "../wire/data.js";
import { HOP_LIMIT } from "../wire/limits.js";
import { countDrop, type Drops } from "./drops.js";
import { type KeyCourse, stepByKey } from "./key-step.js";
import { Lru } from "./lru.js";
import type { PathConfig } from "./path-config.js";
import type { RoutingView } from "./peer.js";
import { PortBudgets } from "./port-budgets.js";
import { encodePorts } from "./ports.js";
import type { LinkQueue } from "./queue.js";
import type { Queues } from "./queues.js";

/** Hops that a frame in KEY mode is charged for, as nobody knows how many it has to go. */
const KEY_HOPS = 16;

/**
 * Forwards DATA: a frame goes by its source route, in the buffer that it came in; where the route does not lead on it falls back to
 * KEY mode in that same buffer, and its sender is told once.
 */
export class Forwarder {
  /** Route ids that were reported broken, as numbers of 48 of their bits. */
  readonly #reported: Lru<number, true>;
  readonly #reports: PortBudgets;
  readonly #course: KeyCourse = { tree: 0, mask: 0, isDown: false, depth: 0 };

  constructor(
    private readonly view: RoutingView,
    private readonly queues: Queues,
    private readonly drops: Drops,
    config: PathConfig,
  ) {
    this.#reported = new Lru(config.reportedMax);
    this.#reports = new PortBudgets(config.brokenRatePerS, config.brokenBurst);
  }

  handleLinkDown(port: number): void {
    this.#reports.handleLinkDown(port);
  }

  /**
   * Sends a DATA frame on its way: the port in whose queue it stands now, 0 where it has arrived here, or the counted reason for which
   * it was dropped. `ingress` is 0 for this node's own frames. The frame is edited in place and belongs to the router from now on.
   */
  forward(frame: Uint8Array, ingress: number, nowMs: number): number {
    if (!isData(frame)) return countDrop(this.drops, DropReason.MALFORMED);
    if (dataIsFor(frame, this.view.key)) return ingress === 0 ? countDrop(this.drops, DropReason.SELF) : 0;
    if (dataHops(frame) >= HOP_LIMIT) return countDrop(this.drops, DropReason.HOP_LIMIT);
    if ((dataBits(frame) & BIT_KEY) !== 0) return this.#forwardByKey(frame, ingress);

    const index = dataIndex(frame);
    const hopsToGo = dataRouteLength(frame) - index;
    if (hopsToGo > 0) {
      const port = dataRoutePort(frame, index);
      const queue = this.queues.get(port);
      // A route that turns back here was made when the ports were others, or by somebody who wants frames to wind: it ends here.
      if (queue !== undefined && port !== ingress) {
        editSourceStep(frame, ingress);
        return this.#send(queue, frame, ingress, hopsToGo);
      }
    }
    this.#reportBroken(frame, ingress, nowMs);
    editFallBack(frame);
    return this.#forwardByKey(frame, ingress);
  }

  #forwardByKey(frame: Uint8Array, ingress: number): number {
    const course = this.#course;
    course.tree = dataTree(frame);
    course.mask = dataMask(frame);
    course.isDown = (dataBits(frame) & BIT_DOWN) !== 0;
    course.depth = dataDepth(frame);
    const port = stepByKey(this.view, dataDestination(frame), course, ingress, true);
    const queue = this.queues.get(port);
    if (queue === undefined) return countDrop(this.drops, DropReason.NO_WAY);
    editKeyStep(frame, course.tree, course.mask, course.isDown, course.depth);
    return this.#send(queue, frame, ingress, KEY_HOPS);
  }

  /** Rule: a frame costs its ingress bytes × hops still to go. */
  #send(queue: LinkQueue, frame: Uint8Array, ingress: number, hopsToGo: number): number {
    editHops(frame);
    if (queue.isCongested(ingress)) editCongestion(frame);
    if (!this.queues.push(queue, frame, ingress, frame.length * hopsToGo))
      return countDrop(this.drops, DropReason.QUEUE_FULL);
    return queue.port;
  }

  /** Tells the sender, by the ports that were overwritten, that its route ends here: once a route id, and so many a second. */
  #reportBroken(frame: Uint8Array, ingress: number, nowMs: number): void {
    const back = dataRouteBack(frame, ingress);
    if (ingress === 0 || back.length === 0) return;
    const routeId = dataRouteId(frame);
    const reported = routeIdNumber(routeId);
    if (this.#reported.get(reported) !== undefined || !this.#reports.take(ingress, nowMs)) return;
    this.#reported.set(reported, true);
    this.queues.pushProbe(ingress, ROUTE_BROKEN.encode({ hops: 1, index: 1, routeId, back: encodePorts(back) }), 0);
  }
}

function routeIdNumber(routeId: Uint8Array): number {
  let value = 0;
  for (let i = 0; i < 6; i++) value = value * 256 + routeId[i]!;
  return value;
}
