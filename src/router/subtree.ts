import type { Budget } from "../wire/budget.js";
import { toHex } from "../wire/bytes.js";
import { RegRefusal } from "../wire/control.js";
import { TREE_DEPTH_MAX } from "../wire/limits.js";
import type { TreeConfig } from "./config.js";
import { type Entry, idOf, proofChild, proofEpoch } from "./entry.js";
import { Upward } from "./upward.js";

/** What one child registered. */
interface ChildSet {
  readonly entries: Map<string, Entry>;
  /** Keys that do not count: a stale entry between them and the child was dropped here, of which the child knows nothing yet. */
  readonly cut: Set<string>;
}

/** Why an entry is not taken, told to the child with the epoch that won; see `RegRefusal`. */
export interface Refused {
  readonly reason: number;
  readonly epoch: number;
}

/**
 * The subtree table of one tree: per child port the set of keys that live below that child, replicated by REG, and their union, which
 * `upward` replicates to this node's own parent. The keys of a lost link are kept upwards for a while, in case they come back elsewhere.
 */
export class Subtree {
  readonly upward: Upward;
  readonly #ownId: string;
  readonly #sets = new Map<number, ChildSet>();
  readonly #union = new Map<string, Entry>();
  /** Entries in all sets; of a key below two children both count. */
  #entries = 0;
  #arrivals = 0;

  /** `budget` counts the entries that go up. */
  constructor(
    key: Uint8Array,
    tree: number,
    private readonly config: TreeConfig,
    budget: Budget,
    send: (port: number, frame: Uint8Array) => void,
  ) {
    this.#ownId = idOf(key);
    this.upward = new Upward(tree, this.#ownId, this.#union, config, budget, send);
  }

  /** Keys in the table. */
  get size(): number {
    return this.#union.size;
  }

  /** Keys that the child behind `port` registered. */
  sizeOf(port: number): number {
    return this.#sets.get(port)?.entries.size ?? 0;
  }

  /** Ids of the keys that the child behind `port` registered. */
  keysOf(port: number): Iterable<string> {
    return this.#sets.get(port)?.entries.keys() ?? [];
  }

  /** The child port behind which `key` lives, or 0. */
  childPort(key: Uint8Array): number {
    return this.#union.get(idOf(key))?.port ?? 0;
  }

  /** True where the neighbour behind `port` is our child. */
  isChild(port: number): boolean {
    return this.#sets.has(port);
  }

  children(): Iterable<number> {
    return this.#sets.keys();
  }

  handleLinkDown(port: number, nowMs: number): void {
    this.#removeChild(port, nowMs + this.config.lostKeyMs);
    this.upward.handleLinkDown(port);
  }

  /** The neighbour behind `port` takes us as its parent: its set starts empty. */
  handleAttach(port: number, nowMs: number): void {
    this.#removeChild(port, nowMs + this.config.lostKeyMs);
    this.#sets.set(port, { entries: new Map(), cut: new Set() });
  }

  /** The neighbour behind `port` has another parent now. */
  handleDetach(port: number, nowMs: number): void {
    this.#removeChild(port, nowMs + this.config.batchMs);
  }

  /**
   * Whether an entry may be added for the child behind `port`, before its signatures are looked at. Its parent must live below that
   * child already: so nobody can claim a key by an edge that he saw elsewhere.
   */
  check(port: number, childId: string, proof: Uint8Array): Refused | undefined {
    const { entries, cut } = this.#sets.get(port)!;
    const id = idOf(proofChild(proof));
    const epoch = proofEpoch(proof);
    const known = this.#union.get(id);
    if (known !== undefined && known.epoch > epoch) return { reason: RegRefusal.STALE, epoch: known.epoch };
    const parentId = idOf(proof);
    const isThere = entries.has(parentId) && !cut.has(parentId);
    if (id === childId ? parentId !== this.#ownId : id === this.#ownId || !isThere)
      return { reason: RegRefusal.DETACHED, epoch };
    const isFull = entries.size >= this.config.childKeysMax || this.#entries >= this.config.treeKeysMax;
    if (isFull && !entries.has(id)) return { reason: RegRefusal.FULL, epoch };
    return undefined;
  }

  /**
   * Adds an entry that was checked, its signatures too. It holds: of two with one epoch the one that came last does, and of a higher
   * epoch no other child has the key any more. Gives the ports of those that lost it so.
   */
  handleAdd(port: number, proof: Uint8Array, nowMs: number): number[] {
    const id = idOf(proofChild(proof));
    const epoch = proofEpoch(proof);
    const set = this.#sets.get(port)!;
    const isMoved = epoch > (this.#union.get(id)?.epoch ?? epoch);
    const losers = isMoved ? this.#removeFromOthers(port, id) : [];
    if (!set.entries.has(id)) this.#entries++;
    set.entries.set(id, { proof, epoch, parentId: idOf(proof), port, arrival: ++this.#arrivals });
    set.cut.delete(id);
    this.#union.set(id, set.entries.get(id)!);
    this.upward.handleChange(id, nowMs + this.config.batchMs);
    if (set.cut.size > 0) this.#mend(set, nowMs);
    return losers;
  }

  /** What was cut and hangs on the child again counts again. */
  #mend(set: ChildSet, nowMs: number): void {
    for (const id of set.cut) {
      if (!isBelow(set, id, this.#ownId)) continue;
      set.cut.delete(id);
      if (!this.#union.has(id)) this.#union.set(id, set.entries.get(id)!);
      this.upward.handleChange(id, nowMs + this.config.batchMs);
    }
  }

  #removeFromOthers(port: number, id: string): number[] {
    const losers: number[] = [];
    for (const [other, { entries, cut }] of this.#sets) {
      if (other === port || !entries.delete(id)) continue;
      cut.delete(id);
      losers.push(other);
    }
    this.#entries -= losers.length;
    return losers;
  }

  handleDel(port: number, id: Uint8Array, nowMs: number): void {
    this.#remove(port, toHex(id), nowMs + this.config.batchMs);
  }

  #removeChild(port: number, tellMs: number): void {
    const set = this.#sets.get(port);
    if (set === undefined) return;
    for (const id of [...set.entries.keys()]) this.#remove(port, id, tellMs);
    this.#sets.delete(port);
  }

  #remove(port: number, id: string, tellMs: number): void {
    const set = this.#sets.get(port);
    if (set?.entries.delete(id) !== true) return;
    this.#entries--;
    set.cut.delete(id);
    this.#discount(port, id, tellMs);
  }

  /** The entry of one child does not hold any more. Where others have the key too, all of one epoch, the one that came last does. */
  #discount(port: number, id: string, tellMs: number): void {
    if (this.#union.get(id)?.port !== port) return;
    let best: Entry | undefined;
    for (const [other, set] of this.#sets) {
      const entry = other === port || set.cut.has(id) ? undefined : set.entries.get(id);
      if (entry !== undefined && entry.arrival > (best?.arrival ?? 0)) best = entry;
    }
    if (best === undefined) this.#union.delete(id);
    else this.#union.set(id, best);
    this.upward.handleChange(id, tellMs);
  }

  /**
   * The parent knows a newer epoch of `id` than we told it: our entry goes, and what hangs below it does not count until that node
   * has come back; then all of it is told anew. Gives the child port behind which that node has yet to hear of it, or 0.
   */
  handleStale(id: Uint8Array, epoch: number, nowMs: number): number {
    const name = toHex(id);
    const stale = this.#union.get(name);
    if (stale === undefined || stale.epoch >= epoch) return 0;
    const { port } = stale;
    const set = this.#sets.get(port)!;
    const tellMs = nowMs + this.config.batchMs;
    for (const below of set.entries.keys()) {
      if (!isBelow(set, below, name)) continue;
      this.upward.handleDoubt(below);
      set.cut.add(below);
      this.#discount(port, below, tellMs);
    }
    this.#remove(port, name, tellMs);
    return port;
  }
}

/** Whether a key of a child's set is another, or hangs below it by entries of that set. */
function isBelow({ entries }: ChildSet, id: string, aboveId: string): boolean {
  let at: string | undefined = id;
  for (let depth = 0; at !== undefined && depth <= TREE_DEPTH_MAX; depth++) {
    if (at === aboveId) return true;
    at = entries.get(at)?.parentId;
  }
  return false;
}
