import type { Budget } from "../wire/budget.js";
import { toHex } from "../wire/bytes.js";
import { RegRefusal } from "../wire/control.js";
import { TREE_DEPTH_MAX } from "../wire/limits.js";
import type { TreeConfig } from "./config.js";
import { idBytes, idOf, proofChild, proofEpoch } from "./entry.js";
import { KeyTable } from "./key-table.js";
import { Upward } from "./upward.js";

/** What one child registered. */
interface ChildSet {
  keys: number;
  /** Keys that do not count: a stale entry between them and the child was dropped here, of which the child knows nothing yet. */
  cut: number;
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
  readonly #table = new KeyTable();

  /** `budget` counts the entries that go up. */
  constructor(
    private readonly key: Uint8Array,
    tree: number,
    private readonly config: TreeConfig,
    budget: Budget,
    send: (port: number, frame: Uint8Array) => void,
  ) {
    this.#ownId = idOf(key);
    this.upward = new Upward(tree, this.#ownId, this.#table, config, budget, send);
  }

  /** Keys in the table. */
  get size(): number {
    return this.#table.size;
  }

  /** Keys that the child behind `port` registered. */
  sizeOf(port: number): number {
    return this.#sets.get(port)?.keys ?? 0;
  }

  /** Ids of the keys that the child behind `port` registered. */
  keysOf(port: number): string[] {
    return this.#table.rowsOfPort(port).map((row) => this.#table.id(row));
  }

  /** The child port behind which `key` lives, or 0. */
  childPort(key: Uint8Array): number {
    const row = this.#table.counting(key);
    return row < 0 ? 0 : this.#table.port(row);
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
    this.#sets.set(port, { keys: 0, cut: 0 });
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
    const table = this.#table;
    const child = proofChild(proof);
    const id = idOf(child);
    const epoch = proofEpoch(proof);
    const known = table.counting(child);
    if (known >= 0 && table.epoch(known) > epoch) return { reason: RegRefusal.STALE, epoch: table.epoch(known) };
    const parent = table.find(proof, 0, port);
    const isThere = parent >= 0 && !table.isCut(parent);
    if (id === childId ? idOf(proof) !== this.#ownId : id === this.#ownId || !isThere)
      return { reason: RegRefusal.DETACHED, epoch };
    const { childKeysMax, treeKeysMax } = this.config;
    const isFull = this.#sets.get(port)!.keys >= childKeysMax || table.length >= treeKeysMax;
    if (isFull && table.find(child, 0, port) < 0) return { reason: RegRefusal.FULL, epoch };
    return undefined;
  }

  /**
   * Adds an entry that was checked, its signatures too. It holds: of two with one epoch the one that came last does, and of a higher
   * epoch no other child has the key any more. Gives the ports of those that lost it so.
   */
  handleAdd(port: number, proof: Uint8Array, nowMs: number): number[] {
    const table = this.#table;
    const child = proofChild(proof);
    const set = this.#sets.get(port)!;
    const known = table.counting(child);
    const isMoved = known >= 0 && proofEpoch(proof) > table.epoch(known);
    if (known >= 0) table.setCounts(known, false);
    const losers = isMoved ? this.#removeFromOthers(port, child) : [];
    if (table.find(child, 0, port) < 0) set.keys++;
    const row = table.put(proof, port);
    table.setCounts(row, true);
    this.#setCut(set, row, false);
    this.upward.handleChange(idOf(child), nowMs + this.config.batchMs);
    if (set.cut > 0) this.#mend(set, port, nowMs);
    return losers;
  }

  /** What was cut and hangs on the child again counts again. */
  #mend(set: ChildSet, port: number, nowMs: number): void {
    const table = this.#table;
    for (const row of table.rowsOfPort(port)) {
      if (!table.isCut(row) || !table.isBelow(row, this.key, TREE_DEPTH_MAX)) continue;
      this.#setCut(set, row, false);
      if (table.counting(proofChild(table.proof(row))) < 0) table.setCounts(row, true);
      this.upward.handleChange(table.id(row), nowMs + this.config.batchMs);
    }
  }

  #setCut(set: ChildSet, row: number, isCut: boolean): void {
    if (isCut !== this.#table.isCut(row)) set.cut += isCut ? 1 : -1;
    this.#table.setCut(row, isCut);
  }

  #removeFromOthers(port: number, child: Uint8Array): number[] {
    const losers: number[] = [];
    for (const row of this.#table.rowsOf(child, 0)) {
      const other = this.#table.port(row);
      if (other === port) continue;
      this.#drop(row);
      losers.push(other);
    }
    return losers;
  }

  /** Removes a row from table and set, whatever it counted. */
  #drop(row: number): void {
    const set = this.#sets.get(this.#table.port(row))!;
    this.#setCut(set, row, false);
    set.keys--;
    this.#table.remove(row);
  }

  handleDel(port: number, id: Uint8Array, nowMs: number): void {
    this.#remove(port, id, nowMs + this.config.batchMs);
    this.#table.trim();
  }

  #removeChild(port: number, tellMs: number): void {
    if (!this.#sets.delete(port)) return;
    for (const id of this.#table.removePort(port)) {
      this.#elect(idBytes(id));
      this.upward.handleChange(id, tellMs);
    }
    this.#table.trim();
  }

  #remove(port: number, id: Uint8Array, tellMs: number): void {
    const row = this.#table.find(id, 0, port);
    if (row < 0) return;
    const counted = this.#table.counts(row);
    this.#drop(row);
    if (!counted) return;
    this.#elect(id);
    this.upward.handleChange(toHex(id), tellMs);
  }

  /** The entry that counted does not any more. Where others have the key too, all of one epoch, the one that came last does. */
  #elect(id: Uint8Array): void {
    const table = this.#table;
    let best = -1;
    for (const row of table.rowsOf(id, 0))
      if (!table.isCut(row) && (best < 0 || table.turn(row) > table.turn(best))) best = row;
    if (best >= 0) table.setCounts(best, true);
  }

  /**
   * The parent knows a newer epoch of `id` than we told it: our entry goes, and what hangs below it does not count until that node
   * has come back; then all of it is told anew. Gives the child port behind which that node has yet to hear of it, or 0.
   */
  handleStale(id: Uint8Array, epoch: number, nowMs: number): number {
    const table = this.#table;
    const stale = table.counting(id);
    if (stale < 0 || table.epoch(stale) >= epoch) return 0;
    const port = table.port(stale);
    const set = this.#sets.get(port)!;
    const tellMs = nowMs + this.config.batchMs;
    for (const row of table.rowsOfPort(port)) {
      if (!table.isBelow(row, id, TREE_DEPTH_MAX)) continue;
      const below = table.id(row);
      this.upward.handleDoubt(below);
      this.#setCut(set, row, true);
      if (!table.counts(row)) continue;
      table.setCounts(row, false);
      this.#elect(proofChild(table.proof(row)));
      this.upward.handleChange(below, tellMs);
    }
    this.#remove(port, id, tellMs);
    return port;
  }
}
