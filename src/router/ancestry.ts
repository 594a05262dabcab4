import type { Crypto } from "../crypto/crypto.js";
import { equalBytes, toHex } from "../wire/bytes.js";
import { CloseCode } from "../wire/codes.js";
import type { Announce } from "../wire/control.js";
import { edgeChild, edgeParentPort } from "../wire/edge.js";
import { EDGE_BYTES, ID_BYTES, KEY_BYTES } from "../wire/limits.js";
import { type Edge, type EdgeMemory, makeEdge } from "./edges.js";
import type { Announced, Peer } from "./peer.js";
import { rankOf } from "./rank.js";
import type { Trust } from "./trust.js";

/** What came of an ANNOUNCE: a neighbour's ancestry, none, an edge named that is not held, or the code of a broken rule. */
export type Reading =
  | { readonly kind: "announced"; readonly announced: Announced }
  | { readonly kind: "none" }
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
  const { tree, root } = announce;
  if (root.length === 0) return announce.edges.length === 0 ? { kind: "none" } : violation(CloseCode.MALFORMED);
  if (announce.signature.length === 0) return violation(CloseCode.MALFORMED);
  const fresh = announce.edges.reduce((count, edge) => count + (edge.length === EDGE_BYTES ? 2 : 0), 1);
  if (!mayCheck(fresh)) return violation(CloseCode.FLOOD);
  if (!trust.heartbeatIsValid(announce)) return violation(CloseCode.BAD_EDGE);

  const path: Edge[] = [];
  const coordinates = new Uint16Array(announce.edges.length);
  let throughMe = trust.isMe(root);
  let last: Uint8Array = root.slice();
  for (const named of announce.edges) {
    let edge: Edge | undefined;
    if (named.length === EDGE_BYTES) {
      edge = makeEdge(crypto, tree, last, named.slice());
      if (!trust.edgeIsValid(tree, last, edge.bytes)) return violation(CloseCode.BAD_EDGE);
      known.add(edge);
    } else {
      edge = known.get(toHex(named));
      if (edge === undefined) return { kind: "unknown-edge" };
      // What it was signed for does not change: it is valid there and nowhere else.
      if (edge.tree !== tree || !equalBytes(edge.parent, last)) return violation(CloseCode.BAD_EDGE);
    }
    coordinates[path.length] = edgeParentPort(edge.bytes);
    path.push(edge);
    last = edgeChild(edge.bytes);
    // The parents are all nodes before this one, the root among them.
    if (path.some(({ parent }) => equalBytes(parent, last))) return violation(CloseCode.BAD_EDGE);
    throughMe ||= trust.isMe(last);
  }
  if (!equalBytes(last, peer.key)) return violation(CloseCode.BAD_EDGE);
  return {
    kind: "announced",
    announced: {
      rootKey: root.slice(0, KEY_BYTES),
      rootId: root.slice(0, ID_BYTES),
      rank: rankOf(crypto, tree, root),
      seq: announce.seq,
      signature: announce.signature.slice(),
      path,
      coordinates,
      delayMs: announce.delayMs,
      throughMe,
    },
  };
}

function violation(code: CloseCode): Reading {
  return { kind: "violation", code };
}
