import { toHex } from "../wire/bytes.js";
import { Lru } from "./lru.js";

/**
 * Which paths to a root cannot be loops, by a root's seq and the distance: the condition of DUAL and Babel (RFC 8966, 3.5.1). A path
 * is feasible with a newer seq than this node announced for that root, or with the same seq and a neighbour's distance below the
 * least that this node ever announced for it; unless that seq was declared dead.
 */
export class Feasibility {
  readonly #announced: Lru<string, { seq: number; distance: number }>;
  readonly #dead: Lru<string, number>;

  /** `onForget` is told of each root that is forgotten for newer ones. */
  constructor(rootsMax: number, onForget: () => void) {
    this.#announced = new Lru(rootsMax, onForget);
    this.#dead = new Lru(rootsMax, onForget);
  }

  isFeasible(root: Uint8Array, seq: number, distance: number): boolean {
    if (this.isDead(root, seq)) return false;
    const least = this.#announced.get(toHex(root));
    return least === undefined || seq > least.seq || (seq === least.seq && distance < least.distance);
  }

  /** This node tells, or would tell, others that it reaches `root` of `seq` over `distance` edges. */
  handleAnnounced(root: Uint8Array, seq: number, distance: number): void {
    const name = toHex(root);
    const least = this.#announced.get(name);
    if (least !== undefined && (seq < least.seq || (seq === least.seq && distance >= least.distance))) return;
    this.#announced.set(name, { seq, distance });
  }

  /** No path to `root` with `seq` or an older one is feasible from now on. */
  handleDead(root: Uint8Array, seq: number): void {
    if (!this.isDead(root, seq)) this.#dead.set(toHex(root), seq);
  }

  isDead(root: Uint8Array, seq: number): boolean {
    return seq <= (this.#dead.get(toHex(root)) ?? -1);
  }

  /** The least seq under which any path to `root` is feasible again. */
  freshSeq(root: Uint8Array): number {
    const name = toHex(root);
    return Math.max(this.#announced.get(name)?.seq ?? 0, this.#dead.get(name) ?? 0) + 1;
  }
}
