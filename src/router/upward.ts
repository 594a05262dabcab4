import type { Budget } from "../wire/budget.js";
import { toHex } from "../wire/bytes.js";
import { REG, RegOp, RegRefusal, type RegRefused } from "../wire/control.js";
import { REG_ENTRIES_MAX, TREE_DEPTH_MAX } from "../wire/limits.js";
import type { TreeConfig } from "./config.js";
import { idBytes, proofEpoch } from "./entry.js";
import type { KeyTable } from "./key-table.js";

/** The parent to attach to, this node's own entry below it, and when. */
interface NextParent {
  readonly port: number;
  readonly proof: Uint8Array;
  readonly attachMs: number;
}

/** In the place of an epoch: the parent may or may not hold the entry. */
const UNSURE = -1;

/**
 * What this node tells its parent of the keys below it, by REG: on attaching the whole table, then only what differs from what the
 * parent was told. Additions go together a moment after the first, each after the entry of its own parent; deletions likewise.
 *
 * What it refused for want of room, or of its own parent, is offered to it again after a pause that grows. A refused row bears a flag
 * in the table, and while none does there is no pause.
 *
 * A parent keeps what it was told until this node attaches to another: so nobody below is out of reach in between.
 */
export class Upward {
  #next: NextParent | undefined;
  #parentPort = 0;
  /** What the parent was told: id to epoch. */
  readonly #told = new Map<string, number>();
  /** Ids whose entry may differ from what was told, and when at the latest the parent hears of it. */
  readonly #changed = new Map<string, number>();
  /** No id of `changed` is due before this. */
  #changesMs = Number.POSITIVE_INFINITY;
  /** Among `changed` are ids whose own parent has yet to be told. */
  #isWaiting = false;
  /** This node's own entry, as the parent was told. */
  #ownProof: Uint8Array | undefined;
  #isOwnRefused = false;
  /** Refusals since the last offer: with as many as a parent tells at once, there may be more that it did not tell. */
  #refusals = 0;
  /** When the refused entries are offered again, the pause before that, and when they were offered last. */
  #offerMs = Number.POSITIVE_INFINITY;
  #pauseMs = 0;
  #offeredMs = Number.NEGATIVE_INFINITY;

  /** `budget` counts the entries that go up: as fast as a parent with the same limits has them checked. */
  constructor(
    private readonly tree: number,
    private readonly ownId: string,
    private readonly table: KeyTable,
    private readonly config: TreeConfig,
    private readonly budget: Budget,
    private readonly send: (port: number, frame: Uint8Array) => void,
  ) {}

  /** The port of the parent that has our set, 0 without one. */
  get parentPort(): number {
    return this.#parentPort;
  }

  handleLinkDown(port: number): void {
    if (port === this.#parentPort) this.#forget();
  }

  /** This node has another parent, or a new edge below the same one: `proof` is its own entry. */
  handleParent(port: number, proof: Uint8Array, nowMs: number): void {
    this.#next = { port, proof, attachMs: nowMs + this.config.attachMs };
  }

  /** No parent is feasible; the last one keeps our set until there is another. */
  handleOrphan(): void {
    this.#next = undefined;
  }

  /** This node has no parent any more. */
  handleNoParent(): void {
    this.#next = undefined;
    this.#leave();
  }

  /** The table's entry for `id` changed: if the parent was told something else, it hears of it at `tellMs` at the latest. */
  handleChange(id: string, tellMs: number): void {
    if (this.#parentPort === 0) return;
    const row = this.table.countingOf(id);
    if (row >= 0 && this.table.isRefused(row)) return;
    if ((row < 0 ? undefined : this.table.epoch(row)) === this.#told.get(id)) {
      this.#changed.delete(id);
      if (row >= 0 && this.#isWaiting) this.#changesMs = Math.min(this.#changesMs, tellMs);
    } else this.#change(id, row < 0 ? tellMs : Math.min(tellMs, this.#changed.get(id) ?? tellMs));
  }

  /** Whether the parent holds the entry for `id` is not certain: if it stays, it is told anew. */
  handleDoubt(id: string): void {
    if (this.#told.has(id)) this.#told.set(id, UNSURE);
  }

  /** The parent did not take an entry that it was told, as FULL or DETACHED. */
  handleRefused({ id: bytes, reason, epoch }: RegRefused, nowMs: number): void {
    const id = toHex(bytes);
    if (id === this.ownId) {
      if (this.#ownProof === undefined || proofEpoch(this.#ownProof) !== epoch) return;
      this.#isOwnRefused = true;
    } else {
      if (this.#told.get(id) !== epoch) return;
      // A detached one may stand there with an older epoch.
      if (reason === RegRefusal.FULL) this.#told.delete(id);
      else this.#told.set(id, UNSURE);
      const row = this.table.countingOf(id);
      if (row >= 0 && this.table.epoch(row) === epoch) this.table.setRefused(row, true);
    }
    this.#refusals++;
    if (this.#offerMs !== Number.POSITIVE_INFINITY) return;
    const { offerMs, offerMaxMs } = this.config;
    const isAgain = nowMs < this.#offeredMs + offerMaxMs;
    this.#pauseMs = isAgain ? Math.min(2 * this.#pauseMs, offerMaxMs) : offerMs;
    this.#offerMs = nowMs + this.#pauseMs;
  }

  /** What was refused goes up again, and all where refusals may have gone untold. */
  #offer(nowMs: number): void {
    const isWhole = this.#isOwnRefused || this.#refusals >= this.config.refusalsBurst;
    const isOwnRefused = this.#isOwnRefused;
    const refused = this.table.takeRefused();
    this.#clearRefusals();
    this.#offeredMs = nowMs;
    for (const id of isWhole ? this.table.ids() : refused) {
      this.handleDoubt(id);
      this.#change(id, nowMs);
    }
    if (isOwnRefused) this.#transmit(RegOp.UPDATE, [], [this.#ownProof!]);
    this.#update(nowMs);
  }

  #clearRefusals(): void {
    this.#isOwnRefused = false;
    this.#refusals = 0;
    this.#offerMs = Number.POSITIVE_INFINITY;
  }

  #change(id: string, tellMs: number): void {
    this.#changed.set(id, tellMs);
    this.#changesMs = Math.min(this.#changesMs, tellMs);
  }

  #leave(): void {
    if (this.#parentPort !== 0) this.#transmit(RegOp.DETACH, [], []);
    this.#forget();
  }

  #forget(): void {
    if (this.#offerMs !== Number.POSITIVE_INFINITY) this.table.takeRefused();
    this.#clearRefusals();
    this.#ownProof = undefined;
    this.#parentPort = 0;
    this.#told.clear();
    this.#changed.clear();
    this.#changesMs = Number.POSITIVE_INFINITY;
  }

  handleTimeout(nowMs: number): void {
    if (this.#next !== undefined && nowMs >= this.#next.attachMs) this.#attach(this.#next, nowMs);
    else if (nowMs >= this.#offerMs) this.#offer(nowMs);
    else if (nowMs >= this.#changesMs) this.#update(nowMs);
  }

  pollTimeout(): number {
    return Math.min(this.#next?.attachMs ?? Number.POSITIVE_INFINITY, this.#changesMs, this.#offerMs);
  }

  /** The whole set, this node's own edge first. */
  #attach({ port, proof }: NextParent, nowMs: number): void {
    this.#next = undefined;
    if (port !== this.#parentPort) {
      this.#leave();
      this.#offeredMs = Number.NEGATIVE_INFINITY;
    }
    this.#forget();
    this.#parentPort = port;
    this.#ownProof = proof;
    for (const id of this.table.ids()) this.#change(id, nowMs);
    this.#transmit(RegOp.ATTACH, [], [proof, ...this.#takeAdditions(nowMs)]);
    this.#refreshChangesMs(nowMs);
  }

  #update(nowMs: number): void {
    const dels: Uint8Array[] = [];
    for (const [id, tellMs] of this.#changed) {
      if (this.table.countingOf(id) >= 0) continue;
      if (!this.#told.has(id)) this.#changed.delete(id);
      else if (tellMs <= nowMs) {
        dels.push(idBytes(id));
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
    // Taken off the list first, so that a circle of parents ends; a liar can make a chain of them as long as his quota.
    const take = (id: string, depth: number): boolean => {
      const { table } = this;
      const row = table.countingOf(id);
      if (row < 0) return false;
      if (!this.#changed.delete(id)) return (this.#told.get(id) ?? UNSURE) !== UNSURE;
      if (table.port(row) === this.#parentPort) return false;
      const parentId = table.parentId(row);
      if (parentId !== this.ownId && (depth === TREE_DEPTH_MAX || !take(parentId, depth + 1))) {
        this.#changed.set(id, Number.POSITIVE_INFINITY);
        this.#isWaiting = true;
        return false;
      }
      this.#told.set(id, table.epoch(row));
      table.setRefused(row, false);
      proofs.push(table.proof(row));
      return true;
    };
    for (const id of this.#changedInTurn()) {
      if (!this.budget.overdraw(0, nowMs)) {
        this.#isWaiting = true;
        break;
      }
      const before = proofs.length;
      take(id, 1);
      this.budget.overdraw(proofs.length - before, nowMs);
    }
    return proofs;
  }

  /** The changed keys that are there: the first of every child, then the second of each, and so on. */
  #changedInTurn(): string[] {
    const turns: string[][] = [];
    const counts = new Map<number, number>();
    for (const id of this.#changed.keys()) {
      const row = this.table.countingOf(id);
      if (row < 0) continue;
      const port = this.table.port(row);
      const turn = counts.get(port) ?? 0;
      counts.set(port, turn + 1);
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
