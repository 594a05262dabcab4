import { equalBytes } from "../wire/bytes.js";
import { ANNOUNCE } from "../wire/control.js";
import type { EdgeBytes } from "../wire/edge.js";
import { DELAY_HINT_MS_MAX } from "../wire/limits.js";
import type { EdgeStore } from "./edge-store.js";

/** What a node tells of itself in one tree; undefined where it has no coordinates. */
export interface Ancestry {
  readonly root: Uint8Array;
  readonly seq: number;
  readonly signature: Uint8Array;
  /** The last slot of the path, in the node's `EdgeStore`. */
  readonly path: number;
  readonly delayMs: number;
}

/** An ANNOUNCE, and how many signatures its receiver has to check. */
interface Announcement {
  readonly frame: Uint8Array;
  readonly signatures: number;
}

const NOTHING = new Uint8Array(0);

/** What one neighbour was told, and when it is told more. */
interface Told {
  /** When its ANNOUNCE is due; infinite while nothing new is to be said. */
  dueMs: number;
  lastMs: number;
  /** The newest seq that it was sent, of the root that was announced last. */
  seq: number;
  /** The last slot of the path that was announced last; 0 where the next ANNOUNCE is to keep nothing. */
  path: number;
}

/** When each neighbour is sent an ANNOUNCE of one tree: on change or on request, and not before the gap since the last has passed. */
export class Announcer {
  readonly #told = new Map<number, Told>();
  /** No ANNOUNCE is due before. */
  #nextMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly tree: number,
    private readonly gapMs: number,
    private readonly edges: EdgeStore,
  ) {}

  /** The neighbour behind `port` is to be sent an ANNOUNCE, not before `earliestMs`. */
  request(port: number, earliestMs: number): void {
    let told = this.#told.get(port);
    if (told === undefined) {
      told = { dueMs: Number.POSITIVE_INFINITY, lastMs: Number.NEGATIVE_INFINITY, seq: 0, path: 0 };
      this.#told.set(port, told);
    }
    told.dueMs = Math.min(told.dueMs, Math.max(earliestMs, told.lastMs + this.gapMs));
    this.#nextMs = Math.min(this.#nextMs, told.dueMs);
  }

  /** Whether a heartbeat with `seq` is news to the neighbour. None passes an ANNOUNCE that waits, which carries the seq itself. */
  wantsHeartbeat(port: number, seq: number): boolean {
    const told = this.#told.get(port);
    return told !== undefined && told.dueMs === Number.POSITIVE_INFINITY && told.seq < seq;
  }

  handleHeartbeat(port: number, seq: number): void {
    this.#told.get(port)!.seq = seq;
  }

  handleLinkDown(port: number): void {
    this.#told.delete(port);
  }

  /** The neighbour did not read what it was told last: the next ANNOUNCE keeps nothing of it. */
  handleUnread(port: number): void {
    const told = this.#told.get(port);
    if (told !== undefined) told.path = 0;
  }

  /** The paths that were announced last; see `EdgeStore`. */
  visitPaths(visit: (path: number) => number): void {
    for (const told of this.#told.values()) told.path = visit(told.path);
  }

  /** The ports whose ANNOUNCE is due: it is sent now, or requested again. */
  takeDue(nowMs: number): number[] {
    if (nowMs < this.#nextMs) return [];
    const due: number[] = [];
    this.#nextMs = Number.POSITIVE_INFINITY;
    for (const [port, told] of this.#told) {
      if (told.dueMs <= nowMs) {
        due.push(port);
        told.dueMs = Number.POSITIVE_INFINITY;
      }
      this.#nextMs = Math.min(this.#nextMs, told.dueMs);
    }
    return due;
  }

  pollTimeout(): number {
    return this.#nextMs;
  }

  /** The ANNOUNCE for the neighbour behind `port`. */
  encode(port: number, ancestry: Ancestry | undefined, nowMs: number): Announcement {
    const told = this.#told.get(port)!;
    told.lastMs = nowMs;
    const { tree } = this;
    const old = told.path === 0 ? [] : this.edges.slots(told.path);
    told.path = ancestry?.path ?? 0;
    if (ancestry === undefined) {
      const none = { root: NOTHING, seq: 0, signature: NOTHING, delayMs: 0, keepPrefix: 0, keepSuffix: 0, edges: [] };
      return { frame: ANNOUNCE.encode({ tree, ...none }), signatures: 0 };
    }
    const { root, seq, signature, path } = ancestry;
    told.seq = seq;
    const change = this.#change(old, this.edges.slots(path));
    const delayMs = Math.min(Math.round(ancestry.delayMs), DELAY_HINT_MS_MAX);
    const frame = ANNOUNCE.encode({ tree, root, seq, signature, delayMs, ...change });
    return { frame, signatures: 1 + 2 * change.edges.length };
  }

  /** What became of a path: both are slots from the root on. */
  #change(
    old: readonly number[],
    path: readonly number[],
  ): { keepPrefix: number; keepSuffix: number; edges: EdgeBytes[] } {
    const most = Math.min(old.length, path.length);
    let prefix = 0;
    while (prefix < most && old[prefix] === path[prefix]) prefix++;
    let suffix = 0;
    while (suffix < most - Math.max(1, prefix) && this.#isSame(old.at(-1 - suffix)!, path.at(-1 - suffix)!)) suffix++;
    // The first that is kept must hang on the same node.
    if (suffix > 0 && !this.#hangsOnSame(old.at(-1 - suffix)!, path.at(-1 - suffix)!)) suffix = 0;
    const edges = path.slice(Math.max(1, prefix), path.length - suffix).map((slot) => this.edges.edge(slot));
    return { keepPrefix: Math.max(0, prefix - 1), keepSuffix: suffix, edges };
  }

  #isSame(a: number, b: number): boolean {
    return a === b || equalBytes(this.edges.edge(a), this.edges.edge(b));
  }

  #hangsOnSame(a: number, b: number): boolean {
    return equalBytes(this.edges.key(a), this.edges.key(b));
  }
}
