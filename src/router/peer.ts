import type { Position } from "../wire/locator.js";

/** What a neighbour announced of itself in one tree: checked. Its depth is the number of its coordinates. */
export interface Announced extends Position {
  readonly rootKey: Uint8Array;
  /** The root's rank in this tree. */
  readonly rank: Uint8Array;
  /** The root's newest seq that this neighbour is known to hold. */
  seq: number;
  /** The root's signature over that seq. */
  signature: Uint8Array;
  /** The last slot of its path in this node's `EdgeStore`: the edges from the root down to it, proof for those below us. */
  path: number;
  /** The neighbour's hint of the delay from the root to itself. */
  readonly delayMs: number;
  /** The path leads through this node: good for forwarding, not for a parent. */
  readonly throughMe: boolean;
}

/** A directly linked neighbour. */
export interface Peer {
  /** Our port for it, 1 to 65,535. */
  readonly port: number;
  readonly key: Uint8Array;
  /** A node without children, by its own word. */
  readonly leaf: boolean;
  readonly linkEpoch: number;
  /** The neighbour's number for the link: what leads from it to us. */
  readonly theirPort: number;
  /** Its half of the link certificate: over its key, ours, `theirPort`, `linkEpoch`. */
  readonly theirHalf: Uint8Array;
  /** Our half: over our key, its key, `port`, `linkEpoch`. */
  readonly ourHalf: Uint8Array;
  /** Smoothed round-trip time of the link. */
  rttMs: number;
  /** Per tree, its newest announcement; undefined where it has no coordinates there. */
  readonly announced: (Announced | undefined)[];
}

/** One tree as forwarding sees it. */
export interface TreeView {
  /** This node's place; undefined where it has none. */
  readonly position: Position | undefined;
  /** The port to the parent; 0 at a root and where there is no parent. */
  readonly parentPort: number;
  /** The child port behind which the key lives, or 0. */
  childPort(key: Uint8Array): number;
}

/** What forwarding and probing see of the router's tables. */
export interface RoutingView {
  readonly key: Uint8Array;
  readonly trees: readonly TreeView[];
  /** The neighbour behind a port, undefined where the port has no link. */
  peer(port: number): Peer | undefined;
  /** The neighbour with that key. */
  peerByKey(key: Uint8Array): Peer | undefined;
  /** All neighbours, in the order of their ports. */
  peers(): Iterable<Peer>;
  /** This node's locator and its own signature over it. */
  locator(): { readonly bytes: Uint8Array; readonly signature: Uint8Array };
}
