import { type EdgeBytes, edgeChild } from "../wire/edge.js";
import { EDGE_BYTES, KEY_BYTES, TREE_COUNT } from "../wire/limits.js";

/** The first slots have no bytes: 0 is none, 1 + t is what the roots of tree t stand below. */
const HEADS = 1 + TREE_COUNT;
/** Numbers kept with a slot: the slot above, the first below, the next below the same. */
const LINKS = 3;
const UP = 0;
const FIRST = 1;
const NEXT = 2;
/** A store grows by a quarter, and by no fewer slots than this. */
const GROWTH_MIN = 8;

/** Shows the last slots of all paths that are held, and puts in their places what `visit` gives. */
export type VisitPaths = (visit: (path: number) => number) => void;

/**
 * The edges of every path that a node holds: those of its neighbours, its own, and those that it announced last. Below each edge stand
 * the edges that go on from it, so paths share what they have in common, and a path is the number of its last slot: the same number
 * while it is held is the same path. A root is a slot as well, with its key in the place of a child's.
 *
 * What is in here has been verified, below that parent. Slots whose path nobody holds any more are found when room is needed, and
 * given back by `tidy`. 186 bytes a slot, and a quarter more; the paths of one link have at most 3 × 127 of their own, and what it was
 * announced last as many.
 */
export class EdgeStore {
  #bytes = new Uint8Array(0);
  #links = new Uint32Array(LINKS * HEADS);
  /** The first of the free slots, which hang together by `NEXT`. */
  #free = 0;
  /** Slots were taken since `tidy`. */
  #isUsed = false;

  constructor(private readonly visitHeld: VisitPaths) {}

  /** The slot of a root. */
  root(tree: number, key: Uint8Array): number {
    const bytes = new Uint8Array(EDGE_BYTES);
    bytes.set(key);
    return this.intern(1 + tree, bytes);
  }

  /** The slot of an edge below another; 0 where it is not known. */
  find(above: number, edge: EdgeBytes): number {
    let slot = this.#links[LINKS * above + FIRST]!;
    while (slot !== 0 && !this.#equals(slot, edge, EDGE_BYTES)) slot = this.#links[LINKS * slot + NEXT]!;
    return slot;
  }

  /** The slot of an edge that holds below another. */
  intern(above: number, edge: EdgeBytes): number {
    const known = this.find(above, edge);
    if (known !== 0) return known;
    if (this.#free === 0) this.#makeRoom(above);
    const slot = this.#free;
    this.#free = this.#links[LINKS * slot + NEXT]!;
    this.#isUsed = true;
    this.#bytes.set(edge, (slot - HEADS) * EDGE_BYTES);
    this.#links[LINKS * slot + UP] = above;
    this.#links[LINKS * slot + FIRST] = 0;
    this.#hang(slot);
    return slot;
  }

  /** A view, which holds until something is added. */
  edge(slot: number): EdgeBytes {
    const at = (slot - HEADS) * EDGE_BYTES;
    return this.#bytes.subarray(at, at + EDGE_BYTES);
  }

  /** The key of the node at the end of a path; a view, as `edge` gives. */
  key(slot: number): Uint8Array {
    return edgeChild(this.edge(slot));
  }

  /** The slots of a path from its root on. */
  slots(last: number): number[] {
    const slots: number[] = [];
    for (let slot = last; slot >= HEADS; slot = this.#links[LINKS * slot + UP]!) slots.push(slot);
    return slots.reverse();
  }

  /** Copies of the edges of a path, from the root down. */
  path(last: number): EdgeBytes[] {
    return this.slots(last)
      .slice(1)
      .map((slot) => this.edge(slot).slice());
  }

  /** Whether a path leads through the node with that key, its ends included. */
  passes(last: number, key: Uint8Array): boolean {
    for (let slot = last; slot >= HEADS; slot = this.#links[LINKS * slot + UP]!)
      if (this.#equals(slot, key, KEY_BYTES)) return true;
    return false;
  }

  /** Slots that there are, and those of them that are free: for tests. */
  get room(): { readonly slots: number; readonly free: number } {
    let free = 0;
    for (let slot = this.#free; slot !== 0; slot = this.#links[LINKS * slot + NEXT]!) free++;
    return { slots: this.#capacity, free };
  }

  get #capacity(): number {
    return this.#bytes.length / EDGE_BYTES;
  }

  #equals(slot: number, bytes: Uint8Array, count: number): boolean {
    const at = (slot - HEADS) * EDGE_BYTES;
    for (let i = 0; i < count; i++) if (this.#bytes[at + i] !== bytes[i]) return false;
    return true;
  }

  /** Puts a slot among those below the one above it. */
  #hang(slot: number): void {
    const above = this.#links[LINKS * slot + UP]!;
    this.#links[LINKS * slot + NEXT] = this.#links[LINKS * above + FIRST]!;
    this.#links[LINKS * above + FIRST] = slot;
  }

  /** Gives room back that a more restless time took. Called now and then, while nobody has a slot but what is held. */
  tidy(): void {
    if (!this.#isUsed) return;
    this.#isUsed = false;
    const { isHeld, count } = this.#held(0);
    if (this.#capacity - count <= Math.max(GROWTH_MIN, count / 4)) return;
    const renumbered = new Uint32Array(isHeld.length);
    for (let slot = 0, next = HEADS; slot < isHeld.length; slot++)
      renumbered[slot] = slot < HEADS ? slot : isHeld[slot] === 1 ? next++ : 0;
    const [bytes, links] = [this.#bytes, this.#links];
    this.#bytes = new Uint8Array(count * EDGE_BYTES);
    this.#links = new Uint32Array(LINKS * (HEADS + count));
    this.#free = 0;
    for (let slot = HEADS; slot < isHeld.length; slot++) {
      if (isHeld[slot] === 0) continue;
      const at = (slot - HEADS) * EDGE_BYTES;
      const moved = renumbered[slot]!;
      this.#bytes.set(bytes.subarray(at, at + EDGE_BYTES), (moved - HEADS) * EDGE_BYTES);
      this.#links[LINKS * moved + UP] = renumbered[links[LINKS * slot + UP]!]!;
      this.#hang(moved);
    }
    this.visitHeld((path) => renumbered[path]!);
  }

  /** Which slots are of paths that are held, or of the one that ends at `last`. */
  #held(last: number): { readonly isHeld: Uint8Array; readonly count: number } {
    const isHeld = new Uint8Array(HEADS + this.#capacity);
    let count = 0;
    const hold = (end: number): number => {
      for (let slot = end; slot >= HEADS && isHeld[slot] === 0; slot = this.#links[LINKS * slot + UP]!) {
        isHeld[slot] = 1;
        count++;
      }
      return end;
    };
    hold(last);
    this.visitHeld(hold);
    return { isHeld, count };
  }

  /** Frees the slots of paths that nobody holds, `last` the end of one that is being made, and grows where these are few. */
  #makeRoom(last: number): void {
    const { isHeld, count } = this.#held(last);
    const growth = Math.max(GROWTH_MIN, Math.ceil(count / 4));
    if (this.#capacity - count < growth / 2) this.#grow(count + growth);
    this.#free = 0;
    for (let slot = 0; slot < HEADS + this.#capacity; slot++) this.#links[LINKS * slot + FIRST] = 0;
    for (let slot = HEADS + this.#capacity - 1; slot >= HEADS; slot--) {
      if (isHeld[slot] === 1) this.#hang(slot);
      else {
        this.#links[LINKS * slot + NEXT] = this.#free;
        this.#free = slot;
      }
    }
  }

  #grow(capacity: number): void {
    const bytes = new Uint8Array(capacity * EDGE_BYTES);
    bytes.set(this.#bytes);
    const links = new Uint32Array(LINKS * (HEADS + capacity));
    links.set(this.#links);
    this.#bytes = bytes;
    this.#links = links;
  }
}
