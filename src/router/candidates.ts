import { compareBytes, equalBytes } from "../wire/bytes.js";
import { TREE_DEPTH_MAX } from "../wire/limits.js";
import type { Feasibility } from "./feasibility.js";
import type { Announced, Peer } from "./peer.js";
import type { TreeContext } from "./tree.js";

/** Which neighbour makes the best parent in one tree: the best root, then the fewest hops, then the least delay. */
export class Candidates {
  /** This node itself may be root. */
  readonly mayBeRoot: boolean;

  constructor(
    private readonly tree: number,
    private readonly context: TreeContext,
    private readonly feasibility: Feasibility,
  ) {
    this.mayBeRoot = !context.leaf && context.mayBeRoot(context.key);
  }

  /** The best feasible neighbour; the present `parent` stays unless another is at least a hop nearer. */
  bestFeasible(parent: Peer | undefined): Peer | undefined {
    let best: Peer | undefined;
    for (const peer of this.context.peers()) {
      const announced = peer.announced[this.tree];
      if (announced === undefined || !this.isFeasible(peer, announced)) continue;
      if (best === undefined || this.#isBetter(peer, best, parent)) best = peer;
    }
    return best;
  }

  /** The best neighbour whose root has at least `rank`, and which only a newer seq would make feasible. */
  bestUnfeasible(rank: Uint8Array, withDead: boolean): Peer | undefined {
    let best: Peer | undefined;
    for (const peer of this.context.peers()) {
      const announced = peer.announced[this.tree];
      if (announced === undefined || !this.#isEligible(peer, announced)) continue;
      if (compareBytes(announced.rank, rank) < 0 || this.isFeasible(peer, announced)) continue;
      if (!withDead && this.feasibility.isDead(announced.rootKey, announced.seq)) continue;
      if (best === undefined || this.#isBetter(peer, best, undefined)) best = peer;
    }
    return best;
  }

  /** The neighbour nearest to `root`, feasible or not, where no parent leads there. */
  nearestTo(root: Uint8Array): Peer | undefined {
    let best: Peer | undefined;
    for (const peer of this.context.peers()) {
      const announced = peer.announced[this.tree];
      if (announced === undefined || !equalBytes(announced.rootKey, root) || !this.#isEligible(peer, announced))
        continue;
      if (best === undefined || this.#isBetter(peer, best, undefined)) best = peer;
    }
    return best;
  }

  isFeasible(peer: Peer, announced: Announced): boolean {
    if (!this.#isEligible(peer, announced)) return false;
    // A leaf has nobody below it, so no path through a neighbour can come back to it; and it hears of a new seq from nobody.
    if (this.context.leaf) return true;
    return this.feasibility.isFeasible(announced.rootKey, announced.seq, announced.path.length);
  }

  /** Whether the neighbour could be a parent at all, feasible or not: rules 1, 6 and the depth. */
  #isEligible(peer: Peer, announced: Announced): boolean {
    return (
      !peer.leaf &&
      !announced.throughMe &&
      announced.path.length < TREE_DEPTH_MAX &&
      this.context.mayBeRoot(announced.rootKey) &&
      !(this.mayBeRoot && compareBytes(announced.rank, this.context.rank) < 0)
    );
  }

  #isBetter(peer: Peer, than: Peer, parent: Peer | undefined): boolean {
    const a = peer.announced[this.tree]!;
    const b = than.announced[this.tree]!;
    const order = compareBytes(a.rank, b.rank);
    if (order !== 0) return order > 0;
    if (a.path.length !== b.path.length) return a.path.length < b.path.length;
    if (peer === parent || than === parent) return peer === parent;
    return a.delayMs + peer.rttMs / 2 < b.delayMs + than.rttMs / 2;
  }
}
