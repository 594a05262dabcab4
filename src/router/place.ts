import { equalBytes } from "../wire/bytes.js";
import { ID_BYTES } from "../wire/limits.js";
import type { Position } from "../wire/locator.js";
import type { Ancestry } from "./announcer.js";
import type { Announced, Peer } from "./peer.js";

/** The root that a node hangs below, or is. */
export interface Root {
  readonly key: Uint8Array;
  readonly rank: Uint8Array;
  seq: number;
  signature: Uint8Array;
  /** When the seq came. */
  seqMs: number;
}

/** Where a node stands in one tree: the root, the path down to the node, its coordinates. Without a root it stands nowhere. */
export class Place {
  #root: Root | undefined;
  #path = 0;
  #position: Position | undefined;
  #delayMs = 0;

  get root(): Root | undefined {
    return this.#root;
  }

  /** The last slot of the path; 0 where the node stands nowhere. */
  get path(): number {
    return this.#path;
  }

  visitPaths(visit: (path: number) => number): void {
    this.#path = visit(this.#path);
  }

  get depth(): number {
    return this.#position?.coordinates.length ?? 0;
  }

  get position(): Position | undefined {
    return this.#position;
  }

  /** The delay from the root, as far as hints can be believed. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /** What the node announces. */
  get ancestry(): Ancestry | undefined {
    if (this.#root === undefined) return undefined;
    const { key, seq, signature } = this.#root;
    return { root: key, seq, signature, path: this.#path, delayMs: this.#delayMs };
  }

  isOf(rootKey: Uint8Array): boolean {
    return this.#root !== undefined && equalBytes(this.#root.key, rootKey);
  }

  /** The node is root itself, at the slot `path`. It has yet to give a seq. */
  handleRoot(key: Uint8Array, rank: Uint8Array, path: number, nowMs: number): void {
    this.#root = { key, rank, seq: 0, signature: new Uint8Array(0), seqMs: nowMs };
    this.#path = path;
    this.#position = { rootId: key.subarray(0, ID_BYTES), coordinates: [] };
    this.#delayMs = 0;
  }

  /** The node hangs below `parent` by the last edge of `path`. True where that is another place than before. */
  handleParent(parent: Peer, announced: Announced, path: number, nowMs: number): boolean {
    const { rootKey: key, rank, seq, signature } = announced;
    const isMoved = path !== this.#path;
    if (!this.isOf(key) || seq > this.#root!.seq) this.#root = { key, rank, seq, signature, seqMs: nowMs };
    this.#delayMs = announced.delayMs + Math.max(1, parent.rttMs / 2);
    if (!isMoved) return false;
    this.#path = path;
    this.#position = { rootId: announced.rootId, coordinates: [...announced.coordinates, parent.theirPort] };
    return true;
  }

  handleNowhere(): void {
    this.#root = undefined;
    this.#path = 0;
    this.#position = undefined;
  }
}
