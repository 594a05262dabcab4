import type { Drops } from "./drops.js";
import type { PathConfig } from "./path-config.js";
import { LinkQueue } from "./queue.js";

/** The outgoing queue of every link that is up, and which of them have something to send. */
export class Queues {
  readonly #queues = new Map<number, LinkQueue>();
  #firstListed: LinkQueue | undefined;
  #lastListed: LinkQueue | undefined;

  constructor(
    private readonly config: PathConfig,
    private readonly drops: Drops,
  ) {}

  handleLinkUp(port: number): void {
    this.handleLinkDown(port);
    this.#queues.set(port, new LinkQueue(port, this.config, this.drops));
  }

  /** What waits for the link is dropped. */
  handleLinkDown(port: number): void {
    this.#queues.get(port)?.clear();
    this.#queues.delete(port);
  }

  /** The queue of the link with that port, undefined where none is up. */
  get(port: number): LinkQueue | undefined {
    return this.#queues.get(port);
  }

  /** A frame between the two ends of the link. False where it has no room or no link. */
  pushControl(port: number, frame: Uint8Array): boolean {
    const queue = this.#queues.get(port);
    return queue?.pushControl(frame) === true && this.#wake(queue);
  }

  /** A PROBE, PROBE_REPLY or ROUTE_BROKEN that came in by `ingress`, 0 for this node's own. False where it has no room or no link. */
  pushProbe(port: number, frame: Uint8Array, ingress: number): boolean {
    const queue = this.#queues.get(port);
    return queue?.pushProbe(frame, ingress) === true && this.#wake(queue);
  }

  /** A DATA frame for `queue`, which `get` gave. False where it was refused. */
  push(queue: LinkQueue, frame: Uint8Array, ingress: number, cost: number): boolean {
    return queue.push(frame, ingress, cost) && this.#wake(queue);
  }

  /** The next frame for the link. */
  pop(port: number): Uint8Array | undefined {
    const queue = this.#queues.get(port);
    const frame = queue?.pop();
    if (queue !== undefined && frame === undefined) queue.isAwake = false;
    return frame;
  }

  /** The next control frame for the link. */
  popControl(port: number): Uint8Array | undefined {
    const queue = this.#queues.get(port);
    const frame = queue?.popControl();
    if (queue !== undefined && frame === undefined) queue.isAwake = false;
    return frame;
  }

  /** The next port that got frames since `pop` or `popControl` last gave none for it; 0 where there is none. */
  pollReady(): number {
    for (;;) {
      const queue = this.#firstListed;
      if (queue === undefined) return 0;
      this.#firstListed = queue.nextListed;
      if (this.#firstListed === undefined) this.#lastListed = undefined;
      queue.nextListed = undefined;
      queue.isListed = false;
      if (this.#queues.get(queue.port) === queue) return queue.port;
    }
  }

  /** True while sessions may hand over packets that leave by this port. */
  hasRoomForOwn(port: number): boolean {
    return this.#queues.get(port)?.hasRoomForOwn === true;
  }

  #wake(queue: LinkQueue): true {
    if (queue.isAwake) return true;
    queue.isAwake = true;
    if (queue.isListed) return true;
    queue.isListed = true;
    if (this.#lastListed === undefined) this.#firstListed = queue;
    else this.#lastListed.nextListed = queue;
    this.#lastListed = queue;
    return true;
  }
}
