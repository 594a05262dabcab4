import type { Crypto } from "../crypto/crypto.js";
import { toHex } from "../wire/bytes.js";
import type { EdgeBytes } from "../wire/edge.js";
import { EDGE_HASH_BYTES, LINK_EDGES_MAX } from "../wire/limits.js";

/** A tree edge and the hash that names it on a link. */
export interface Edge {
  readonly bytes: EdgeBytes;
  readonly hash: Uint8Array;
  /** The hash as text, for tables. */
  readonly name: string;
}

export function makeEdge(crypto: Crypto, bytes: EdgeBytes): Edge {
  const hash = crypto.hash(bytes).slice(0, EDGE_HASH_BYTES);
  return { bytes, hash, name: toHex(hash) };
}

/**
 * The edges that went over a link in one direction, in full. Both ends keep the same, since both add in the order of the link and
 * drop the oldest; so the sender knows which edges it can name by hash.
 */
export class EdgeMemory {
  readonly #edges = new Map<string, Edge>();

  get(name: string): Edge | undefined {
    return this.#edges.get(name);
  }

  add(edge: Edge): void {
    if (this.#edges.has(edge.name)) return;
    if (this.#edges.size >= LINK_EDGES_MAX) this.#edges.delete(this.#edges.keys().next().value!);
    this.#edges.set(edge.name, edge);
  }

  clear(): void {
    this.#edges.clear();
  }

  get size(): number {
    return this.#edges.size;
  }
}
