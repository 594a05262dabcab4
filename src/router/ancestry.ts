import type { Crypto } from "../crypto/crypto.js";
import { equalBytes } from "../wire/bytes.js";
import { CloseCode } from "../wire/codes.js";
import type { Announce } from "../wire/control.js";
import { type EdgeBytes, edgeChild, edgeParentPort } from "../wire/edge.js";
import { ID_BYTES, TREE_DEPTH_MAX } from "../wire/limits.js";
import type { EdgeStore } from "./edge-store.js";
import type { Announced, Peer } from "./peer.js";
import { rankOf } from "./rank.js";
import type { Trust } from "./trust.js";

/**
 * What came of an ANNOUNCE: a neighbour's ancestry, or none; it was not read, since the budget is spent or it keeps edges of one that
 * was not read; or the code of a broken rule.
 */
export type Reading =
  | { readonly kind: "announced"; readonly announced: Announced }
  | { readonly kind: "none" }
  | { readonly kind: "unpaid" }
  | { readonly kind: "unread" }
  | { readonly kind: "violation"; readonly code: CloseCode };

/** What an ANNOUNCE is read with. */
export interface Reader {
  readonly crypto: Crypto;
  readonly trust: Trust;
  readonly edges: EdgeStore;
  peers(): Iterable<Peer>;
}

/**
 * Reads an ANNOUNCE of `peer`: takes what it keeps from its last one, checks the signatures of edges that are not known, and checks
 * that the edges lead from the root to the neighbour without passing a node twice. `isUnread` says that its last one was not read;
 * `mayCheck` asks for a budget of so many signatures.
 */
export function readAnnounce(
  announce: Announce,
  peer: Peer,
  isUnread: boolean,
  reader: Reader,
  mayCheck: (signatures: number) => boolean,
): Reading {
  const { tree, root, signature, keepPrefix, keepSuffix, edges, delayMs } = announce;
  const kept = keepPrefix + keepSuffix;
  if (root.length === 0) return kept + edges.length === 0 ? { kind: "none" } : violation(CloseCode.MALFORMED);
  if (signature.length === 0 || kept + edges.length > TREE_DEPTH_MAX) return violation(CloseCode.MALFORMED);
  if (kept > 0 && isUnread) return { kind: "unread" };
  if (kept > (peer.announced[tree]?.coordinates.length ?? 0)) return violation(CloseCode.BAD_EDGE);
  if (!mayCheck(1 + 2 * edges.length)) return { kind: "unpaid" };
  if (!reader.trust.heartbeatIsValid(announce)) return violation(CloseCode.BAD_EDGE);
  const path = readPath(announce, peer, reader);
  if (path === 0 || !equalBytes(reader.edges.key(path), peer.key)) return violation(CloseCode.BAD_EDGE);
  const [, ...slots] = reader.edges.slots(path);
  const coordinates = slots.map((slot) => edgeParentPort(reader.edges.edge(slot)));
  const throughMe = reader.edges.passes(path, reader.trust.key);
  const { rootKey, rootId, rank, seq, signature: ofSeq } = rootOf(announce, reader);
  // Named one by one: an object that is spread into another has a shape of its own, which takes more than the object.
  const announced = { rootKey, rootId, rank, seq, signature: ofSeq, path, coordinates, delayMs, throughMe };
  return { kind: "announced", announced };
}

/** The last slot of an ANNOUNCE's path; 0 where it does not hold. */
function readPath({ tree, root, keepPrefix, keepSuffix, edges }: Announce, peer: Peer, reader: Reader): number {
  const store = reader.edges;
  const old = peer.announced[tree];
  const kept = old === undefined ? [] : store.slots(old.path);
  let at = store.root(tree, root);
  if (keepPrefix > 0) {
    if (kept[0] !== at) return 0;
    at = kept[keepPrefix]!;
  }
  for (const edge of edges) {
    at = below(at, edge, reader, ({ trust }) => trust.edgeIsValid(tree, store.key(at), edge));
    if (at === 0) return 0;
  }
  for (let i = kept.length - keepSuffix; i < kept.length; i++) {
    // Its signatures were checked: they hold below that very parent and nowhere else.
    const isSame = equalBytes(store.key(at), store.key(kept[i - 1]!));
    at = below(at, store.edge(kept[i]!), reader, () => isSame);
    if (at === 0) return 0;
  }
  return at;
}

/** The slot of the edge below another; 0 where it does not hold there, or leads back to a node above. */
function below(above: number, edge: EdgeBytes, reader: Reader, holds: (reader: Reader) => boolean): number {
  const known = reader.edges.find(above, edge);
  if (known !== 0) return known;
  return reader.edges.passes(above, edgeChild(edge)) || !holds(reader) ? 0 : reader.edges.intern(above, edge);
}

/** What an ANNOUNCE says of its root. What another neighbour said in the same bytes is not kept twice. */
function rootOf(
  { tree, root, seq, signature }: Announce,
  reader: Reader,
): Pick<Announced, "rootKey" | "rootId" | "rank" | "seq" | "signature"> {
  let like: Announced | undefined;
  for (const { announced } of reader.peers()) {
    const other = announced[tree];
    if (other === undefined || !equalBytes(other.rootKey, root)) continue;
    like = other;
    if (other.seq === seq && equalBytes(other.signature, signature)) break;
  }
  const isLike = like?.seq === seq && equalBytes(like.signature, signature);
  const rootKey = like?.rootKey ?? root.slice();
  return {
    rootKey,
    rootId: like?.rootId ?? rootKey.subarray(0, ID_BYTES),
    rank: like?.rank ?? rankOf(reader.crypto, tree, rootKey),
    seq,
    signature: isLike ? like!.signature : signature.slice(),
  };
}

function violation(code: CloseCode): Reading {
  return { kind: "violation", code };
}
