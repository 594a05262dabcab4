import { ANNOUNCE, ANNOUNCE_RESET } from "../wire/control.js";
import { DELAY_HINT_MS_MAX } from "../wire/limits.js";
import type { Edge, EdgeMemory } from "./edges.js";

/** What a node tells of itself in one tree; undefined where it has no coordinates. */
export interface Ancestry {
  readonly root: Uint8Array;
  readonly seq: number;
  readonly signature: Uint8Array;
  readonly path: readonly Edge[];
  readonly delayMs: number;
}

const NOTHING = new Uint8Array(0);

/** When each neighbour is sent an ANNOUNCE of one tree: on change or on request, and not before the gap since the last has passed. */
export class Announcer {
  /** Port to the time that its ANNOUNCE is due. */
  readonly #due = new Map<number, number>();
  readonly #lastMs = new Map<number, number>();

  constructor(
    private readonly tree: number,
    private readonly gapMs: number,
  ) {}

  /** The neighbour behind `port` is to be sent an ANNOUNCE. */
  request(port: number, nowMs: number): void {
    if (this.#due.has(port)) return;
    this.#due.set(port, Math.max(nowMs, (this.#lastMs.get(port) ?? -this.gapMs) + this.gapMs));
  }

  /** True while an ANNOUNCE waits for `port`: no heartbeat may pass it. */
  waitsFor(port: number): boolean {
    return this.#due.has(port);
  }

  handleLinkDown(port: number): void {
    this.#due.delete(port);
    this.#lastMs.delete(port);
  }

  /** The next port whose ANNOUNCE is due, or 0. */
  pollDue(nowMs: number): number {
    for (const [port, dueMs] of this.#due) {
      if (dueMs > nowMs) continue;
      this.#due.delete(port);
      this.#lastMs.set(port, nowMs);
      return port;
    }
    return 0;
  }

  pollTimeout(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const dueMs of this.#due.values()) nextMs = Math.min(nextMs, dueMs);
    return nextMs;
  }

  /** The ANNOUNCE for a neighbour that holds the edges in `sent`, and from now on those that go out in full. */
  encode(ancestry: Ancestry | undefined, sent: EdgeMemory): Uint8Array {
    const flags = sent.size === 0 ? ANNOUNCE_RESET : 0;
    if (ancestry === undefined)
      return ANNOUNCE.encode({
        tree: this.tree,
        flags,
        root: NOTHING,
        seq: 0,
        signature: NOTHING,
        delayMs: 0,
        edges: [],
      });
    const edges = ancestry.path.map((edge) => {
      if (sent.get(edge.name) !== undefined) return edge.hash;
      sent.add(edge);
      return edge.bytes;
    });
    const { root, seq, signature } = ancestry;
    const delayMs = Math.min(Math.round(ancestry.delayMs), DELAY_HINT_MS_MAX);
    return ANNOUNCE.encode({ tree: this.tree, flags, root, seq, signature, delayMs, edges });
  }
}
