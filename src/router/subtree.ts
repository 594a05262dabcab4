import { toHex } from "../wire/bytes.js";
import { REG, RegOp, RegRefusal } from "../wire/control.js";
import { edgeChild, edgeTreeEpoch } from "../wire/edge.js";
import { EDGE_BYTES, ID_BYTES, KEY_BYTES, REG_ENTRIES_MAX, REG_ENTRY_BYTES } from "../wire/limits.js";
import type { TreeConfig } from "./config.js";

/** A key below one of our children: the proof as it came, and what it says. */
interface Entry {
  /** The parent's key and the edge: what our own parent is told. */
  readonly proof: Uint8Array;
  readonly epoch: number;
  readonly parentId: string;
  readonly port: number;
  /** Rises with every entry: of two with one epoch the one that came last holds. */
  readonly arrival: number;
}

/** Why an entry is not taken, told to the child with the epoch that won; see `RegRefusal`. */
export interface Refused {
  readonly reason: number;
  readonly epoch: number;
}

/**
 * The subtree table of one tree: per child port the set of keys that live below that child, replicated by REG, and their union. Of
 * the union only the difference to what this parent was told goes up: additions together a moment after the first, each after the
 * entry of its own parent; deletions likewise, but the keys of a lost link only when they had time to come back elsewhere.
 */
export class Subtree {
  readonly #sets = new Map<number, Map<string, Entry>>();
  readonly #union = new Map<string, Entry>();
  #arrivals = 0;

  /** What the present parent was told: id to epoch. */
  readonly #told = new Map<string, number>();
  #parentPort = 0;
  #attached = false;
  #ownProof: Uint8Array | undefined;
  #ownId: string;
  /** Ids whose union entry may differ from what was told, and when at the latest the parent hears of it. */
  readonly #changed = new Map<string, number>();
  /** No id of `changed` is due before this. */
  #changesMs = Number.POSITIVE_INFINITY;
  #attachMs = Number.POSITIVE_INFINITY;

  constructor(
    key: Uint8Array,
    private readonly tree: number,
    private readonly config: TreeConfig,
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
    return this.#sets.get(port)?.size ?? 0;
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

  // From below.

  /** The neighbour behind `port` takes us as its parent: its set starts empty. */
  handleAttach(port: number, nowMs: number): void {
    this.#dropSet(port, nowMs + this.config.lostKeyMs);
    this.#sets.set(port, new Map());
  }

  /** The neighbour behind `port` has another parent now. */
  handleDetach(port: number, nowMs: number): void {
    this.#dropSet(port, nowMs + this.config.batchMs);
    this.#sets.delete(port);
  }

  /** The link to a child is gone. */
  handleLost(port: number, nowMs: number): void {
    this.#dropSet(port, nowMs + this.config.lostKeyMs);
    this.#sets.delete(port);
  }

  /**
   * Whether an entry may be added for the child behind `port`, before its signatures are looked at. Its parent must live below that
   * child already: so nobody can claim a key by an edge that he saw elsewhere.
   */
  check(port: number, childId: string, proof: Uint8Array): Refused | undefined {
    const set = this.#sets.get(port)!;
    const id = idOf(edgeChild(proofEdge(proof)));
    const epoch = edgeTreeEpoch(proofEdge(proof));
    const known = this.#union.get(id);
    if (known !== undefined && known.epoch > epoch) return { reason: RegRefusal.STALE, epoch: known.epoch };
    const parentId = idOf(proof);
    const isBelow = id === childId ? parentId === this.#ownId : id !== this.#ownId && set.has(parentId);
    if (!isBelow) return { reason: RegRefusal.DETACHED, epoch };
    const isFull = set.size >= this.config.childKeysMax || this.#union.size >= this.config.treeKeysMax;
    if (isFull && !set.has(id)) return { reason: RegRefusal.FULL, epoch };
    return undefined;
  }

  /** Adds an entry that was checked, its signatures too. */
  handleAdd(port: number, proof: Uint8Array, nowMs: number): void {
    const edge = proofEdge(proof);
    const id = idOf(edgeChild(edge));
    const epoch = edgeTreeEpoch(edge);
    const entry: Entry = { proof, epoch, parentId: idOf(proof), port, arrival: ++this.#arrivals };
    this.#sets.get(port)!.set(id, entry);
    this.#settle(id, nowMs + this.config.batchMs);
  }

  handleDel(port: number, id: Uint8Array, nowMs: number): void {
    const name = toHex(id);
    if (this.#sets.get(port)?.delete(name) === true) this.#settle(name, nowMs + this.config.batchMs);
  }

  #dropSet(port: number, tellMs: number): void {
    const set = this.#sets.get(port);
    if (set === undefined) return;
    const ids = [...set.keys()];
    set.clear();
    for (const id of ids) this.#settle(id, tellMs);
  }

  /** Finds the entry that holds for `id` among the sets; the parent hears of a difference at `tellMs` at the latest. */
  #settle(id: string, tellMs: number): void {
    let best: Entry | undefined;
    for (const set of this.#sets.values()) {
      const entry = set.get(id);
      if (entry === undefined) continue;
      if (
        best === undefined ||
        entry.epoch > best.epoch ||
        (entry.epoch === best.epoch && entry.arrival > best.arrival)
      )
        best = entry;
    }
    if (best === undefined) this.#union.delete(id);
    else this.#union.set(id, best);
    if (best?.epoch === this.#told.get(id)) this.#changed.delete(id);
    else this.#change(id, best === undefined ? tellMs : Math.min(tellMs, this.#changed.get(id) ?? tellMs));
  }

  #change(id: string, tellMs: number): void {
    this.#changed.set(id, tellMs);
    this.#changesMs = Math.min(this.#changesMs, tellMs);
  }

  // Upward.

  /** This node has another parent, or a new edge below the same one: `proof` is its own entry. */
  handleParent(port: number, proof: Uint8Array, nowMs: number): void {
    this.#leave();
    this.#parentPort = port;
    this.#ownProof = proof;
    this.#attachMs = nowMs + this.config.attachMs;
  }

  /** This node has no parent any more; with `linkLost` there is nobody to tell. */
  handleNoParent(linkLost: boolean): void {
    if (linkLost) this.#attached = false;
    this.#leave();
    this.#parentPort = 0;
    this.#attachMs = Number.POSITIVE_INFINITY;
  }

  #leave(): void {
    if (this.#attached) this.send(this.#parentPort, this.#encode(RegOp.DETACH, [], []));
    this.#attached = false;
    this.#told.clear();
    this.#changed.clear();
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= this.#attachMs) this.#attach(nowMs);
    else if (this.#attached && nowMs >= this.#changesMs) this.#update(nowMs);
  }

  pollTimeout(): number {
    return this.#attached ? this.#changesMs : this.#attachMs;
  }

  /** The whole set, this node's own edge first. */
  #attach(nowMs: number): void {
    this.#attachMs = Number.POSITIVE_INFINITY;
    this.#attached = true;
    this.#changed.clear();
    for (const id of this.#union.keys()) this.#changed.set(id, nowMs);
    this.#transmit(RegOp.ATTACH, [], [this.#ownProof!, ...this.#takeAdditions()]);
    this.#refreshChangesMs();
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
    const adds = this.#takeAdditions();
    if (adds.length + dels.length > 0) this.#transmit(RegOp.UPDATE, dels, adds);
    this.#refreshChangesMs();
  }

  #refreshChangesMs(): void {
    this.#changesMs = Number.POSITIVE_INFINITY;
    for (const tellMs of this.#changed.values()) this.#changesMs = Math.min(this.#changesMs, tellMs);
  }

  /** The proofs of the changed keys that are there, each after its parent's; one whose parent is not told yet stays. */
  #takeAdditions(): Uint8Array[] {
    const proofs: Uint8Array[] = [];
    const take = (id: string): boolean => {
      const entry = this.#union.get(id);
      if (entry === undefined) return false;
      if (!this.#changed.has(id)) return this.#told.has(id);
      // Taken off the list first, so that a circle of parents ends.
      const tellMs = this.#changed.get(id)!;
      this.#changed.delete(id);
      if (entry.parentId !== this.#ownId && !take(entry.parentId)) {
        this.#change(id, tellMs + this.config.lostKeyMs);
        return false;
      }
      this.#told.set(id, entry.epoch);
      proofs.push(entry.proof);
      return true;
    };
    for (const id of [...this.#changed.keys()]) take(id);
    return proofs;
  }

  #transmit(op: number, dels: Uint8Array[], adds: Uint8Array[]): void {
    let first = op;
    do {
      const delsNow = dels.splice(0, REG_ENTRIES_MAX);
      const addsNow = adds.splice(0, REG_ENTRIES_MAX);
      this.send(this.#parentPort, this.#encode(first, delsNow, addsNow));
      first = RegOp.UPDATE;
    } while (dels.length + adds.length > 0);
  }

  #encode(op: number, dels: Uint8Array[], adds: Uint8Array[]): Uint8Array {
    return REG.encode({ tree: this.tree, op, dels, adds });
  }
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
