import { ANNOUNCE, ANNOUNCE_RESET } from "../wire/control.js";
import { DELAY_HINT_MS_MAX } from "../wire/limits.js";
import type { Edge, EdgeMemory } from "./edges.js";

/** What a node tells of itself in one tree; undefined where it has no coordinates. */
export interface Ancestry {
  readonly root: Uint8Array;
  readonly seq: number;
  readonly signature: Uint8Array;
  readonly path: readonly Edge[];
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
}

/** When each neighbour is sent an ANNOUNCE of one tree: on change or on request, and not before the gap since the last has passed. */
export class Announcer {
  readonly #told = new Map<number, Told>();
  /** No ANNOUNCE is due before. */
  #nextMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly tree: number,
    private readonly gapMs: number,
  ) {}

  /** The neighbour behind `port` is to be sent an ANNOUNCE, not before `earliestMs`. */
  request(port: number, earliestMs: number): void {
    let told = this.#told.get(port);
    if (told === undefined) {
      told = { dueMs: Number.POSITIVE_INFINITY, lastMs: Number.NEGATIVE_INFINITY, seq: 0 };
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

  /** The ANNOUNCE for the neighbour behind `port`, which holds the edges in `sent`, and from now on those that go out in full. */
  encode(port: number, ancestry: Ancestry | undefined, sent: EdgeMemory, nowMs: number): Announcement {
    this.#told.get(port)!.lastMs = nowMs;
    const flags = sent.size === 0 ? ANNOUNCE_RESET : 0;
    const tree = this.tree;
    if (ancestry === undefined) {
      const none = { tree, flags, root: NOTHING, seq: 0, signature: NOTHING, delayMs: 0, edges: [] };
      return { frame: ANNOUNCE.encode(none), signatures: 0 };
    }
    const { root, seq, signature } = ancestry;
    this.handleHeartbeat(port, seq);
    let signatures = 1;
    const edges = ancestry.path.map((edge) => {
      if (sent.has(edge)) return edge.hash;
      sent.add(edge);
      signatures += 2;
      return edge.bytes;
    });
    const delayMs = Math.min(Math.round(ancestry.delayMs), DELAY_HINT_MS_MAX);
    return { frame: ANNOUNCE.encode({ tree, flags, root, seq, signature, delayMs, edges }), signatures };
  }
}
