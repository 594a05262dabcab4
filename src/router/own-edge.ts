import type { EdgeBytes } from "../wire/edge.js";
import { encodeProof } from "./entry.js";
import type { Peer } from "./peer.js";
import type { TreeContext } from "./tree-context.js";

/**
 * This node's own edge in one tree. Its epoch rises with every change of parent, to none too, and above any that somebody shows of an
 * earlier life.
 */
export class OwnEdge {
  #edge: EdgeBytes | undefined;
  #epoch = 0;
  #signedMs = Number.NEGATIVE_INFINITY;
  /** When the edge gets a new epoch though the parent stays. */
  #renewMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly tree: number,
    private readonly context: TreeContext,
  ) {}

  get epoch(): number {
    return this.#epoch;
  }

  /** The edge below the present parent. */
  get edge(): EdgeBytes | undefined {
    return this.#edge;
  }

  /** A new edge below `parent`, which soon has it registered. */
  sign(parent: Peer, nowMs: number): EdgeBytes {
    const { trust, epochs, subtree } = this.context;
    this.#epoch = epochs.next();
    this.#edge = trust.signEdge(this.tree, parent, this.#epoch);
    this.#signedMs = nowMs;
    this.#renewMs = Number.POSITIVE_INFINITY;
    subtree.upward.handleParent(parent.port, encodeProof(parent.key, this.#edge), nowMs);
    return this.#edge;
  }

  /** There is no parent any more. */
  drop(): void {
    this.#epoch = this.context.epochs.next();
    this.#edge = undefined;
    this.#renewMs = Number.POSITIVE_INFINITY;
  }

  /** The edge is to have an epoch above `epoch`: soon, and not too often, since it is others who make us do so. */
  renewAbove(epoch: number, nowMs: number): void {
    if (this.#edge === undefined || epoch <= this.#epoch) return;
    this.#renewMs = Math.max(nowMs, this.#signedMs + this.context.config.renewGapMs);
  }

  /** When `sign` is to be called again for the same parent. */
  pollTimeout(): number {
    return this.#renewMs;
  }
}
