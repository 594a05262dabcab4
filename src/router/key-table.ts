import { fromHex, readUint16, readUint48, toHex, writeUint16, writeUint48 } from "../wire/bytes.js";
import { ID_BYTES, KEY_BYTES, REG_ENTRY_BYTES } from "../wire/limits.js";
import { proofEpoch } from "./entry.js";

/*
 * A row: a key that a child registered.
 *
 *   0  206  the proof as it came, a REG entry: the parent's key, then the edge, which begins with the key itself
 * 206    2  the child's port
 * 208    1  1: this is the entry of its key that counts, 2: it is cut off, 4: the parent refused it
 * 209    6  its turn among all that came; of two the higher came last
 */
const ID_AT = KEY_BYTES;
const PORT_AT = REG_ENTRY_BYTES;
const FLAGS_AT = PORT_AT + 2;
const TURN_AT = FLAGS_AT + 1;
const ROW_BYTES = TURN_AT + 6;
const COUNTS = 1;
const CUT = 2;
const REFUSED = 4;
/** A table grows by an eighth, and by no fewer rows than this. */
const GROWTH_MIN = 4;

/**
 * The keys that children registered, of all children together: a key may have a row for each. Rows stand in one array of bytes and are
 * found by their id in a sorted list, which nobody can make slow by the keys that he chooses. 219 bytes a row, and an eighth more. A
 * row's number is good until the next `add` or `trim`.
 */
export class KeyTable {
  #rows = new Uint8Array(0);
  /** The rows by id, as many as there are, then those that are free. */
  #order = new Uint32Array(0);
  #length = 0;
  #counted = 0;
  #turns = 0;

  /** Rows. */
  get length(): number {
    return this.#length;
  }

  /** Keys, each once: rows that count. */
  get size(): number {
    return this.#counted;
  }

  /** The row of a child for the key whose id stands in `bytes` at `at`; −1 without one. */
  find(bytes: Uint8Array, at: number, port: number): number {
    for (let i = this.#lowerBound(bytes, at); this.#hasId(i, bytes, at); i++)
      if (this.port(this.#order[i]!) === port) return this.#order[i]!;
    return -1;
  }

  /** The row that counts for a key; −1 where none does. */
  counting(bytes: Uint8Array, at = 0): number {
    for (let i = this.#lowerBound(bytes, at); this.#hasId(i, bytes, at); i++)
      if (this.counts(this.#order[i]!)) return this.#order[i]!;
    return -1;
  }

  /** The same, for an id as text. */
  countingOf(id: string): number {
    return this.counting(fromHex(id)!);
  }

  /** All rows of a key. */
  rowsOf(bytes: Uint8Array, at: number): number[] {
    const rows: number[] = [];
    for (let i = this.#lowerBound(bytes, at); this.#hasId(i, bytes, at); i++) rows.push(this.#order[i]!);
    return rows;
  }

  /** All rows of a child, by id. */
  rowsOfPort(port: number): number[] {
    const rows: number[] = [];
    for (let i = 0; i < this.#length; i++) if (this.port(this.#order[i]!) === port) rows.push(this.#order[i]!);
    return rows;
  }

  /** The ids of the keys, in order. */
  ids(): string[] {
    const ids: string[] = [];
    for (let i = 0; i < this.#length; i++) if (this.counts(this.#order[i]!)) ids.push(this.id(this.#order[i]!));
    return ids;
  }

  // A row

  id(row: number): string {
    const at = row * ROW_BYTES + ID_AT;
    return toHex(this.#rows.subarray(at, at + ID_BYTES));
  }

  parentId(row: number): string {
    return toHex(this.#rows.subarray(row * ROW_BYTES, row * ROW_BYTES + ID_BYTES));
  }

  /** A view. */
  proof(row: number): Uint8Array {
    return this.#rows.subarray(row * ROW_BYTES, row * ROW_BYTES + REG_ENTRY_BYTES);
  }

  port(row: number): number {
    return readUint16(this.#rows, row * ROW_BYTES + PORT_AT);
  }

  epoch(row: number): number {
    return proofEpoch(this.proof(row));
  }

  turn(row: number): number {
    return readUint48(this.#rows, row * ROW_BYTES + TURN_AT);
  }

  counts(row: number): boolean {
    return (this.#rows[row * ROW_BYTES + FLAGS_AT]! & COUNTS) !== 0;
  }

  setCounts(row: number, counts: boolean): void {
    if (counts !== this.counts(row)) this.#counted += counts ? 1 : -1;
    this.#setFlag(row, COUNTS, counts);
  }

  isCut(row: number): boolean {
    return (this.#rows[row * ROW_BYTES + FLAGS_AT]! & CUT) !== 0;
  }

  setCut(row: number, isCut: boolean): void {
    this.#setFlag(row, CUT, isCut);
  }

  isRefused(row: number): boolean {
    return (this.#rows[row * ROW_BYTES + FLAGS_AT]! & REFUSED) !== 0;
  }

  setRefused(row: number, isRefused: boolean): void {
    this.#setFlag(row, REFUSED, isRefused);
  }

  #setFlag(row: number, flag: number, isSet: boolean): void {
    const at = row * ROW_BYTES + FLAGS_AT;
    this.#rows[at] = isSet ? this.#rows[at]! | flag : this.#rows[at]! & ~flag;
  }

  /** Whether a row is of the key with that id, or hangs below it, or below who has that id and no row, by rows of the same child. */
  isBelow(row: number, id: Uint8Array, depthMax: number): boolean {
    const port = this.port(row);
    let at = row * ROW_BYTES + ID_AT;
    for (let depth = 0; depth <= depthMax; depth++) {
      if (this.#compare(at, id, 0) === 0) return true;
      const above = this.find(this.#rows, at, port);
      if (above < 0) return false;
      at = above * ROW_BYTES;
    }
    return false;
  }

  // Changes

  /** No row is refused any more; gives the ids of those that were and count. */
  takeRefused(): string[] {
    const ids: string[] = [];
    for (let i = 0; i < this.#length; i++) {
      const row = this.#order[i]!;
      if (!this.isRefused(row)) continue;
      this.setRefused(row, false);
      if (this.counts(row)) ids.push(this.id(row));
    }
    return ids;
  }

  /** Adds a row that neither counts nor is cut off, or gives the child's row for this key a new proof. It came last. */
  put(proof: Uint8Array, port: number): number {
    let row = this.find(proof, ID_AT, port);
    if (row < 0) row = this.#add(proof);
    const at = row * ROW_BYTES;
    if (this.epoch(row) !== proofEpoch(proof)) this.setRefused(row, false);
    this.#rows.set(proof, at);
    writeUint16(this.#rows, at + PORT_AT, port);
    writeUint48(this.#rows, at + TURN_AT, ++this.#turns);
    return row;
  }

  remove(row: number): void {
    this.setCounts(row, false);
    const at = row * ROW_BYTES + ID_AT;
    let i = this.#lowerBound(this.#rows, at);
    while (this.#order[i] !== row) i++;
    this.#order.copyWithin(i, i + 1, this.#length);
    this.#order[--this.#length] = row;
  }

  /** Removes all rows of a child, and gives the ids of those that counted. */
  removePort(port: number): string[] {
    const ids: string[] = [];
    const removed: number[] = [];
    let kept = 0;
    for (let i = 0; i < this.#length; i++) {
      const row = this.#order[i]!;
      if (this.port(row) !== port) this.#order[kept++] = row;
      else {
        removed.push(row);
        if (this.counts(row)) ids.push(this.id(row));
        this.setCounts(row, false);
      }
    }
    this.#order.set(removed, kept);
    this.#length = kept;
    return ids;
  }

  /** Gives room back where most of it is free. */
  trim(): void {
    if (this.#order.length > 4 * this.#length + GROWTH_MIN) this.#resize(this.#length);
  }

  #add(proof: Uint8Array): number {
    if (this.#length === this.#order.length)
      this.#resize(this.#length + Math.max(GROWTH_MIN, Math.ceil(this.#length / 8)));
    const i = this.#lowerBound(proof, ID_AT);
    const row = this.#order[this.#length]!;
    this.#order.copyWithin(i + 1, i, this.#length);
    this.#order[i] = row;
    this.#length++;
    this.#rows[row * ROW_BYTES + FLAGS_AT] = 0;
    return row;
  }

  /** Moves the rows together, in order. */
  #resize(capacity: number): void {
    const rows = new Uint8Array(capacity * ROW_BYTES);
    const order = new Uint32Array(capacity);
    for (let i = 0; i < this.#length; i++) {
      const at = this.#order[i]! * ROW_BYTES;
      rows.set(this.#rows.subarray(at, at + ROW_BYTES), i * ROW_BYTES);
    }
    for (let i = 0; i < capacity; i++) order[i] = i;
    this.#rows = rows;
    this.#order = order;
  }

  /** Where in the order the first row stands whose id is not before that in `bytes` at `at`. */
  #lowerBound(bytes: Uint8Array, at: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.#order[middle]! * ROW_BYTES + ID_AT, bytes, at) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #hasId(i: number, bytes: Uint8Array, at: number): boolean {
    return i < this.#length && this.#compare(this.#order[i]! * ROW_BYTES + ID_AT, bytes, at) === 0;
  }

  /** How the id at `own` stands to that in `bytes` at `at`. */
  #compare(own: number, bytes: Uint8Array, at: number): number {
    for (let i = 0; i < ID_BYTES; i++) {
      const difference = this.#rows[own + i]! - bytes[at + i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }
}
