import type { Crypto } from "../crypto/crypto.js";
import { equalBytes, fromHex, toHex } from "../wire/bytes.js";
import type { EdgeBytes } from "../wire/edge.js";
import { EDGE_HASH_BYTES, LINK_EDGES_MAX } from "../wire/limits.js";
import { encodeProof, proofEdge, proofParent } from "./entry.js";

/**
 * A tree edge, the parent and tree that it was signed for, and the hash that names it on a link. Nodes hold hundreds, so all bytes are
 * in one array, and what is read of it is a view made then: 385 bytes an edge, where three arrays took 585.
 */
export class Edge {
  constructor(
    readonly tree: number,
    /** The parent's key, then the edge: a REG entry. */
    readonly proof: Uint8Array,
    /** The first bytes of the edge's hash, in hex, for tables. */
    readonly name: string,
  ) {}

  get parent(): Uint8Array {
    return proofParent(this.proof);
  }

  get bytes(): EdgeBytes {
    return proofEdge(this.proof);
  }

  get hash(): Uint8Array {
    return fromHex(this.name)!;
  }
}

/** Copies the bytes. */
export function makeEdge(crypto: Crypto, tree: number, parent: Uint8Array, bytes: EdgeBytes): Edge {
  return new Edge(tree, encodeProof(parent, bytes), toHex(crypto.hash(bytes).subarray(0, EDGE_HASH_BYTES)));
}

/** Two edges may share a hash: whoever signs both can search for such a pair. */
export function sameEdge(a: Edge, b: Edge): boolean {
  return a === b || (a.name === b.name && equalBytes(a.bytes, b.bytes));
}

/**
 * The edges that went over a link in one direction, in full. Both ends keep the same, since both add in the order of the link, drop
 * the oldest, and let an edge take the place of another of its hash; so the sender knows which edges it can name by hash.
 */
export class EdgeMemory {
  readonly #edges = new Map<string, Edge>();

  get(name: string): Edge | undefined {
    return this.#edges.get(name);
  }

  has(edge: Edge): boolean {
    const held = this.#edges.get(edge.name);
    return held !== undefined && sameEdge(held, edge);
  }

  add(edge: Edge): void {
    if (!this.#edges.has(edge.name) && this.#edges.size >= LINK_EDGES_MAX)
      this.#edges.delete(this.#edges.keys().next().value!);
    this.#edges.set(edge.name, edge);
  }

  clear(): void {
    this.#edges.clear();
  }

  get size(): number {
    return this.#edges.size;
  }
}
