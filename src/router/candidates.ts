import { compareBytes, equalBytes } from "../wire/bytes.js";
import { TREE_DEPTH_MAX } from "../wire/limits.js";
import type { Feasibility } from "./feasibility.js";
import type { Announced, Peer } from "./peer.js";
import type { TreeContext } from "./tree-context.js";

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
    return this.#best((peer, announced) => this.isFeasible(peer, announced), parent);
  }

  /** The best neighbour with a root of at least `rank`, that a newer seq would make feasible again; none whose seq is dead. */
  alternative(rank: Uint8Array): Peer | undefined {
    return this.#best(
      (peer, announced) =>
        compareBytes(announced.rank, rank) >= 0 &&
        this.mayFollow(peer, announced) &&
        !this.isFeasible(peer, announced) &&
        !this.feasibility.isDead(announced.rootKey, announced.seq),
    );
  }

  /** The best neighbour with a root above `rank`, that a newer seq would make feasible. */
  better(rank: Uint8Array): Peer | undefined {
    return this.#best(
      (peer, announced) =>
        compareBytes(announced.rank, rank) > 0 && this.mayFollow(peer, announced) && !this.isFeasible(peer, announced),
    );
  }

  /** The neighbour nearest to `root`, feasible or not. */
  nearestTo(root: Uint8Array): Peer | undefined {
    return this.#best((peer, announced) => equalBytes(announced.rootKey, root) && this.mayFollow(peer, announced));
  }

  #best(isFit: (peer: Peer, announced: Announced) => boolean, parent?: Peer): Peer | undefined {
    let best: Peer | undefined;
    for (const peer of this.context.peers()) {
      const announced = peer.announced[this.tree];
      if (announced === undefined) continue;
      // Which is better is soon said, which is feasible takes longer.
      if ((best === undefined || this.#isBetter(peer, best, parent)) && isFit(peer, announced)) best = peer;
    }
    return best;
  }

  isFeasible(peer: Peer, announced: Announced): boolean {
    if (!this.mayFollow(peer, announced)) return false;
    // A leaf has nobody below it, so no path through a neighbour can come back to it; and it hears of a new seq from nobody.
    if (this.context.leaf) return true;
    return this.feasibility.isFeasible(announced.rootKey, announced.seq, announced.coordinates.length);
  }

  /** Whether the neighbour could be a parent at all, feasible or not: rules 1, 6 and the depth. */
  mayFollow(peer: Peer, announced: Announced): boolean {
    return (
      !peer.leaf &&
      !announced.throughMe &&
      announced.coordinates.length < TREE_DEPTH_MAX &&
      this.context.mayBeRoot(announced.rootKey) &&
      !(this.mayBeRoot && compareBytes(announced.rank, this.context.rank) < 0)
    );
  }

  #isBetter(peer: Peer, than: Peer, parent: Peer | undefined): boolean {
    const a = peer.announced[this.tree]!;
    const b = than.announced[this.tree]!;
    const order = compareBytes(a.rank, b.rank);
    if (order !== 0) return order > 0;
    const [depth, otherDepth] = [a.coordinates.length, b.coordinates.length];
    if (depth !== otherDepth) return depth < otherDepth;
    if (peer === parent || than === parent) return peer === parent;
    return a.delayMs + peer.rttMs / 2 < b.delayMs + than.rttMs / 2;
  }
}
