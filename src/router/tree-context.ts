import type { Crypto } from "../crypto/crypto.js";
import type { TreeConfig } from "./config.js";
import type { EdgeStore } from "./edge-store.js";
import type { Epochs } from "./epochs.js";
import type { Peer } from "./peer.js";
import type { RouterStats } from "./stats.js";
import type { Subtree } from "./subtree.js";
import type { Trust } from "./trust.js";

/** What a tree needs of its router. */
export interface TreeContext {
  readonly key: Uint8Array;
  /** This node's rank in the tree. */
  readonly rank: Uint8Array;
  /** A leaf is nobody's parent and never a root. */
  readonly leaf: boolean;
  /** Whether a key may be root; in a private network not every one is. */
  mayBeRoot(key: Uint8Array): boolean;
  readonly crypto: Crypto;
  readonly trust: Trust;
  readonly epochs: Epochs;
  readonly edges: EdgeStore;
  readonly subtree: Subtree;
  readonly config: TreeConfig;
  readonly stats: RouterStats;
  peer(port: number): Peer | undefined;
  peers(): Iterable<Peer>;
  send(port: number, frame: Uint8Array): void;
  /** The tree has another root now, or with undefined none that this node knows. */
  rootChanged(tree: number, key: Uint8Array | undefined): void;
}
