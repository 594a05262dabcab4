import { readUint16, readUint48, writeUint16, writeUint48 } from "./bytes.js";
import { EDGE_BYTES, KEY_BYTES } from "./limits.js";

/*
 * A tree edge: proof that a child chose a parent, which neither can invent. The parent's key is not in it: a path names it one edge
 * earlier, a REG entry stands it before the edge.
 *
 *   0   32  child key
 *  32    2  parent's port for the child
 *  34    6  link epoch
 *  40    6  tree epoch, the child's; rises at every change of parent
 *  46   64  the parent's half of the link certificate: over parent, child, parent's port, link epoch
 * 110   64  the child's signature: over tree, parent, child, link epoch, tree epoch
 */
export const EDGE_PARENT_SIGNATURE_AT = 46;
export const EDGE_CHILD_SIGNATURE_AT = 110;

/** An edge as bytes; see the layout above. */
export type EdgeBytes = Uint8Array;

export function encodeEdge(
  child: Uint8Array,
  parentPort: number,
  linkEpoch: number,
  treeEpoch: number,
  parentSignature: Uint8Array,
  childSignature: Uint8Array,
): EdgeBytes {
  const edge = new Uint8Array(EDGE_BYTES);
  edge.set(child, 0);
  writeUint16(edge, 32, parentPort);
  writeUint48(edge, 34, linkEpoch);
  writeUint48(edge, 40, treeEpoch);
  edge.set(parentSignature, EDGE_PARENT_SIGNATURE_AT);
  edge.set(childSignature, EDGE_CHILD_SIGNATURE_AT);
  return edge;
}

export const edgeChild = (edge: EdgeBytes): Uint8Array => edge.subarray(0, KEY_BYTES);
export const edgeParentPort = (edge: EdgeBytes): number => readUint16(edge, 32);
export const edgeLinkEpoch = (edge: EdgeBytes): number => readUint48(edge, 34);
export const edgeTreeEpoch = (edge: EdgeBytes): number => readUint48(edge, 40);
export const edgeParentSignature = (edge: EdgeBytes): Uint8Array =>
  edge.subarray(EDGE_PARENT_SIGNATURE_AT, EDGE_CHILD_SIGNATURE_AT);
export const edgeChildSignature = (edge: EdgeBytes): Uint8Array => edge.subarray(EDGE_CHILD_SIGNATURE_AT, EDGE_BYTES);
