import type { Crypto } from "../crypto/crypto.js";
import { equalBytes, toHex } from "../wire/bytes.js";
import { CloseCode } from "../wire/codes.js";
import type { Announce } from "../wire/control.js";
import { edgeChild, edgeParentPort } from "../wire/edge.js";
import { EDGE_BYTES, ID_BYTES } from "../wire/limits.js";
import { type Edge, type EdgeMemory, makeEdge } from "./edges.js";
import type { Announced, Peer } from "./peer.js";
import { rankOf } from "./rank.js";
import type { Trust } from "./trust.js";

/**
 * What came of an ANNOUNCE: a neighbour's ancestry, or none; it was not read, since the budget is spent or it names an edge that is not
 * held; or the code of a broken rule.
 */
export type Reading =
  | { readonly kind: "announced"; readonly announced: Announced }
  | { readonly kind: "none" }
  | { readonly kind: "unpaid" }
  | { readonly kind: "unknown-edge" }
  | { readonly kind: "violation"; readonly code: CloseCode };

/**
 * Reads an ANNOUNCE of `peer`: takes edges named by hash from `known`, checks the signatures of the others and adds them to it, and
 * checks that the edges lead from the root to the neighbour without passing a node twice. `mayCheck` asks for a budget of that many
 * signatures.
 */
export function readAnnounce(
  announce: Announce,
  peer: Peer,
  known: EdgeMemory,
  trust: Trust,
  crypto: Crypto,
  mayCheck: (signatures: number) => boolean,
): Reading {
  const { tree, root, seq, signature, edges, delayMs } = announce;
  if (root.length === 0) return edges.length === 0 ? { kind: "none" } : violation(CloseCode.MALFORMED);
  if (signature.length === 0) return violation(CloseCode.MALFORMED);
  const fresh = edges.reduce((count, edge) => count + (edge.length === EDGE_BYTES ? 2 : 0), 1);
  if (!mayCheck(fresh)) return { kind: "unpaid" };
  if (!trust.heartbeatIsValid(announce)) return violation(CloseCode.BAD_EDGE);
  const rootKey = root.slice();
  const path = readPath(tree, rootKey, edges, known, trust, crypto);
  if (!Array.isArray(path)) return path;
  const last = path.at(-1);
  if (!equalBytes(last === undefined ? rootKey : edgeChild(last.bytes), peer.key)) return violation(CloseCode.BAD_EDGE);
  const announced = {
    rootKey,
    rootId: rootKey.subarray(0, ID_BYTES),
    rank: rankOf(crypto, tree, rootKey),
    seq,
    signature: signature.slice(),
    path,
    coordinates: Uint16Array.from(path, ({ bytes }) => edgeParentPort(bytes)),
    delayMs,
    throughMe: trust.isMe(rootKey) || path.some(({ bytes }) => trust.isMe(edgeChild(bytes))),
  };
  return { kind: "announced", announced };
}

/** The edges of an ANNOUNCE from the root down, or why they are not taken. */
function readPath(
  tree: number,
  root: Uint8Array,
  edges: readonly Uint8Array[],
  known: EdgeMemory,
  trust: Trust,
  crypto: Crypto,
): Edge[] | Reading {
  const path: Edge[] = [];
  let above = root;
  for (const named of edges) {
    let edge: Edge | undefined;
    if (named.length === EDGE_BYTES) {
      edge = makeEdge(crypto, tree, above, named);
      if (!trust.edgeIsValid(tree, above, edge.bytes)) return violation(CloseCode.BAD_EDGE);
      known.add(edge);
    } else {
      edge = known.get(toHex(named));
      if (edge === undefined) return { kind: "unknown-edge" };
      // What it was signed for does not change: it is valid there and nowhere else.
      if (edge.tree !== tree || !equalBytes(edge.parent, above)) return violation(CloseCode.BAD_EDGE);
    }
    path.push(edge);
    above = edgeChild(edge.bytes);
    // The parents are all nodes before this one, the root among them.
    if (path.some(({ parent }) => equalBytes(parent, above))) return violation(CloseCode.BAD_EDGE);
  }
  return path;
}

function violation(code: CloseCode): Reading {
  return { kind: "violation", code };
}
