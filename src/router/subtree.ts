import type { Budget } from "../wire/budget.js";
import { toHex } from "../wire/bytes.js";
import { REG, RegOp, RegRefusal } from "../wire/control.js";
import { edgeChild, edgeTreeEpoch } from "../wire/edge.js";
import { EDGE_BYTES, ID_BYTES, KEY_BYTES, REG_ENTRIES_MAX, REG_ENTRY_BYTES, TREE_DEPTH_MAX } from "../wire/limits.js";
import type { TreeConfig } from "./config.js";

/** A key below one of our children: the proof as it came, and what it says. */
interface Entry {
  /** The parent's key and the edge: what our own parent is told. */
  readonly proof: Uint8Array;
  readonly epoch: number;
  readonly parentId: string;
  readonly port: number;
  /** Rises with every entry. */
  readonly arrival: number;
}

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

/** The parent to attach to, this node's own entry below it, and when. */
interface NextParent {
  readonly port: number;
  readonly proof: Uint8Array;
  readonly attachMs: number;
}

/** In the place of an epoch: the parent may or may not hold the entry. */
const UNSURE = -1;

/**
 * The subtree table of one tree: per child port the set of keys that live below that child, replicated by REG, and their union. Of
 * the union only the difference to what this parent was told goes up: additions together a moment after the first, each after the
 * entry of its own parent; deletions likewise, but the keys of a lost link only when they had time to come back elsewhere.
 *
 * A parent keeps our set until we attach to another: so nobody below is out of reach in between.
 */
export class Subtree {
  readonly #sets = new Map<number, ChildSet>();
  readonly #union = new Map<string, Entry>();
  /** Entries in all sets; of a key below two children both count. */
  #entries = 0;
  #arrivals = 0;

  readonly #ownId: string;
  #next: NextParent | undefined;
  /** The parent that has our set, 0 without one, and what it was told: id to epoch. */
  #parentPort = 0;
  readonly #told = new Map<string, number>();
  /** Ids whose union entry may differ from what was told, and when at the latest the parent hears of it. */
  readonly #changed = new Map<string, number>();
  /** No id of `changed` is due before this. */
  #changesMs = Number.POSITIVE_INFINITY;
  /** Among `changed` are ids whose own parent has yet to be told. */
  #isWaiting = false;

  /** `budget` counts the entries that go up: as fast as a parent with the same limits has them checked. */
  constructor(
    key: Uint8Array,
    private readonly tree: number,
    private readonly config: TreeConfig,
    private readonly budget: Budget,
    private readonly send: (port: number, frame: Uint8Array) => void,
  ) {
    this.#ownId = idOf(key);
  }

  /** Keys in the table. */
  get size(): number {
    return this.#union.size;
  }

  /** Keys that the child behind `port` registered. */
  sizeOf(port: number): number {
    return this.#sets.get(port)?.entries.size ?? 0;
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

  /** The port of the parent that has our set, 0 without one. */
  get parentPort(): number {
    return this.#parentPort;
  }

  handleLinkDown(port: number, nowMs: number): void {
    this.#removeChild(port, nowMs + this.config.lostKeyMs);
    if (port === this.#parentPort) this.#forget();
  }

  // From below.

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
    const id = idOf(edgeChild(proofEdge(proof)));
    const epoch = edgeTreeEpoch(proofEdge(proof));
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
    const edge = proofEdge(proof);
    const id = idOf(edgeChild(edge));
    const epoch = edgeTreeEpoch(edge);
    const set = this.#sets.get(port)!;
    const isMoved = epoch > (this.#union.get(id)?.epoch ?? epoch);
    const losers = isMoved ? this.#removeFromOthers(port, id) : [];
    if (!set.entries.has(id)) this.#entries++;
    set.entries.set(id, { proof, epoch, parentId: idOf(proof), port, arrival: ++this.#arrivals });
    set.cut.delete(id);
    this.#union.set(id, set.entries.get(id)!);
    this.#compare(id, nowMs + this.config.batchMs);
    if (set.cut.size > 0) this.#mend(set, nowMs);
    return losers;
  }

  /** What was cut and hangs on the child again counts again. */
  #mend(set: ChildSet, nowMs: number): void {
    for (const id of set.cut) {
      if (!isBelow(set, id, this.#ownId)) continue;
      set.cut.delete(id);
      if (!this.#union.has(id)) this.#union.set(id, set.entries.get(id)!);
      this.#compare(id, nowMs + this.config.batchMs);
    }
  }

  #removeFromOthers(port: number, id: string): number[] {
    const losers: number[] = [];
    for (const [other, set] of this.#sets) if (other !== port && set.entries.delete(id)) losers.push(other);
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
    this.#compare(id, tellMs);
  }

  /** The union's entry for `id` changed: if the parent was told something else, it hears of it at `tellMs` at the latest. */
  #compare(id: string, tellMs: number): void {
    if (this.#parentPort === 0) return;
    const entry = this.#union.get(id);
    if (entry?.epoch === this.#told.get(id)) {
      this.#changed.delete(id);
      if (entry !== undefined && this.#isWaiting) this.#changesMs = Math.min(this.#changesMs, tellMs);
    } else this.#change(id, entry === undefined ? tellMs : Math.min(tellMs, this.#changed.get(id) ?? tellMs));
  }

  #change(id: string, tellMs: number): void {
    this.#changed.set(id, tellMs);
    this.#changesMs = Math.min(this.#changesMs, tellMs);
  }

  // Upward.

  /** This node has another parent, or a new edge below the same one: `proof` is its own entry. */
  handleParent(port: number, proof: Uint8Array, nowMs: number): void {
    this.#next = { port, proof, attachMs: nowMs + this.config.attachMs };
  }

  /** No parent is feasible yet; the last one keeps our set. */
  handleOrphan(): void {
    this.#next = undefined;
  }

  /** This node has no parent any more. */
  handleNoParent(): void {
    this.#next = undefined;
    this.#leave();
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
      if (this.#told.has(below)) this.#told.set(below, UNSURE);
      set.cut.add(below);
      this.#discount(port, below, tellMs);
    }
    this.#remove(port, name, tellMs);
    return port;
  }

  #leave(): void {
    if (this.#parentPort !== 0) this.#transmit(RegOp.DETACH, [], []);
    this.#forget();
  }

  #forget(): void {
    this.#parentPort = 0;
    this.#told.clear();
    this.#changed.clear();
    this.#changesMs = Number.POSITIVE_INFINITY;
  }

  handleTimeout(nowMs: number): void {
    if (this.#next !== undefined && nowMs >= this.#next.attachMs) this.#attach(this.#next, nowMs);
    else if (nowMs >= this.#changesMs) this.#update(nowMs);
  }

  pollTimeout(): number {
    return Math.min(this.#next?.attachMs ?? Number.POSITIVE_INFINITY, this.#changesMs);
  }

  /** The whole set, this node's own edge first. */
  #attach({ port, proof }: NextParent, nowMs: number): void {
    this.#next = undefined;
    if (port !== this.#parentPort) this.#leave();
    this.#forget();
    this.#parentPort = port;
    for (const id of this.#union.keys()) this.#change(id, nowMs);
    this.#transmit(RegOp.ATTACH, [], [proof, ...this.#takeAdditions(nowMs)]);
    this.#refreshChangesMs(nowMs);
  }

  #update(nowMs: number): void {
    const dels: Uint8Array[] = [];
    for (const [id, tellMs] of this.#changed) {
      if (this.#union.has(id)) continue;
      if (!this.#told.has(id)) this.#changed.delete(id);
      else if (tellMs <= nowMs) {
        dels.push(hexId(id));
        this.#told.delete(id);
        this.#changed.delete(id);
      }
    }
    const adds = this.#takeAdditions(nowMs);
    if (adds.length + dels.length > 0) this.#transmit(RegOp.UPDATE, dels, adds);
    this.#refreshChangesMs(nowMs);
  }

  #refreshChangesMs(nowMs: number): void {
    this.#changesMs = Number.POSITIVE_INFINITY;
    for (const tellMs of this.#changed.values()) this.#changesMs = Math.min(this.#changesMs, tellMs);
    // Only entries that the budget held back are still due.
    if (this.#changesMs <= nowMs) this.#changesMs = Math.max(nowMs + this.config.batchMs, this.budget.paidMs());
  }

  /**
   * The proofs of the changed keys that are there, each after its parent's, as far as the budget goes, one child after the other: so
   * none keeps the keys of the rest waiting. One whose parent is not told yet waits; one behind the parent itself is none of its
   * business.
   */
  #takeAdditions(nowMs: number): Uint8Array[] {
    const proofs: Uint8Array[] = [];
    this.#isWaiting = false;
    const take = (id: string): boolean => {
      const entry = this.#union.get(id);
      if (entry === undefined) return false;
      // Taken off the list first, so that a circle of parents ends.
      if (!this.#changed.delete(id)) return this.#told.has(id);
      if (entry.port === this.#parentPort) return false;
      if (entry.parentId !== this.#ownId && !take(entry.parentId)) {
        this.#changed.set(id, Number.POSITIVE_INFINITY);
        this.#isWaiting = true;
        return false;
      }
      this.#told.set(id, entry.epoch);
      proofs.push(entry.proof);
      return true;
    };
    for (const id of this.#changedInTurn()) {
      if (!this.budget.overdraw(0, nowMs)) break;
      const before = proofs.length;
      take(id);
      this.budget.overdraw(proofs.length - before, nowMs);
    }
    return proofs;
  }

  /** The changed keys that are there: the first of every child, then the second of each, and so on. */
  #changedInTurn(): string[] {
    const turns: string[][] = [];
    const counts = new Map<number, number>();
    for (const id of this.#changed.keys()) {
      const entry = this.#union.get(id);
      if (entry === undefined) continue;
      const turn = counts.get(entry.port) ?? 0;
      counts.set(entry.port, turn + 1);
      if (turn === turns.length) turns.push([]);
      turns[turn]!.push(id);
    }
    return turns.flat();
  }

  #transmit(op: number, dels: Uint8Array[], adds: Uint8Array[]): void {
    let first = op;
    do {
      const delsNow = dels.splice(0, REG_ENTRIES_MAX);
      const addsNow = adds.splice(0, REG_ENTRIES_MAX);
      this.send(this.#parentPort, REG.encode({ tree: this.tree, op: first, dels: delsNow, adds: addsNow }));
      first = RegOp.UPDATE;
    } while (dels.length + adds.length > 0);
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

/** A REG entry: the parent's key, then the edge. */
export function encodeProof(parentKey: Uint8Array, edge: Uint8Array): Uint8Array {
  const proof = new Uint8Array(REG_ENTRY_BYTES);
  proof.set(parentKey, 0);
  proof.set(edge, KEY_BYTES);
  return proof;
}

export const proofParent = (proof: Uint8Array): Uint8Array => proof.subarray(0, KEY_BYTES);
export const proofEdge = (proof: Uint8Array): Uint8Array => proof.subarray(KEY_BYTES, KEY_BYTES + EDGE_BYTES);

/** The id of a key, as the text that tables use. */
export function idOf(key: Uint8Array): string {
  return toHex(key.subarray(0, ID_BYTES));
}

function hexId(id: string): Uint8Array {
  return Uint8Array.from({ length: ID_BYTES }, (_, i) => Number.parseInt(id.slice(2 * i, 2 * i + 2), 16));
}
