import { fromHex, toHex } from "../wire/bytes.js";
import { edgeChild, edgeTreeEpoch } from "../wire/edge.js";
import { EDGE_BYTES, ID_BYTES, KEY_BYTES, REG_ENTRY_BYTES } from "../wire/limits.js";

/** A REG entry: the parent's key, then the edge. */
export function encodeProof(parentKey: Uint8Array, edge: Uint8Array): Uint8Array {
  const proof = new Uint8Array(REG_ENTRY_BYTES);
  proof.set(parentKey, 0);
  proof.set(edge, KEY_BYTES);
  return proof;
}

export const proofParent = (proof: Uint8Array): Uint8Array => proof.subarray(0, KEY_BYTES);
export const proofEdge = (proof: Uint8Array): Uint8Array => proof.subarray(KEY_BYTES, KEY_BYTES + EDGE_BYTES);
export const proofChild = (proof: Uint8Array): Uint8Array => edgeChild(proofEdge(proof));
export const proofEpoch = (proof: Uint8Array): number => edgeTreeEpoch(proofEdge(proof));

/** The id of a key, as the text that tables use. */
export function idOf(key: Uint8Array): string {
  return toHex(key.subarray(0, ID_BYTES));
}

/** The bytes of an id. */
export function idBytes(id: string): Uint8Array {
  return fromHex(id)!;
}
