import { Kind } from "./kinds.js";
import { bin, binOf, type FrameOf, Layout, list, ports, uint } from "./layout.js";
import {
  DELAY_HINT_MS_MAX,
  EDGE_BYTES,
  EPOCH_MAX,
  HOP_LIMIT,
  ID_BYTES,
  KEY_BYTES,
  REG_ENTRIES_MAX,
  REG_ENTRY_BYTES,
  ROUTE_HOPS_MAX,
  SIGNATURE_BYTES,
  TREE_COUNT,
  TREE_DEPTH_MAX,
} from "./limits.js";

const tree = uint(TREE_COUNT - 1);
const root = bin(KEY_BYTES);
const seq = uint(EPOCH_MAX);

/** Asks the neighbour for a PONG with the same token. */
export const PING = new Layout(Kind.PING, { token: uint(0xffff_ffff) });
/** `clock` is the sender's when the PING came: `clockOf`. */
export const PONG = new Layout(Kind.PONG, { token: uint(0xffff_ffff), clock: uint(0xffff_ffff) });

/** Eighths of a millisecond, from any beginning, modulo 2^32: 6 days. */
export function clockOf(nowMs: number): number {
  return Math.floor(nowMs * CLOCK_PER_MS) % 2 ** 32;
}
export const CLOCK_PER_MS = 8;

/** From parent to child, once per (root, seq): the root lives. Signed by the root over tree and seq. */
export const HEARTBEAT = new Layout(Kind.HEARTBEAT, { tree, root, seq, signature: bin(SIGNATURE_BYTES) });
export type Heartbeat = FrameOf<typeof HEARTBEAT>;

/**
 * The sender's ancestry in a tree: the root's newest heartbeat, a hint of the delay to the root, and the edges from the root down to
 * the sender. Of those of the sender's last ANNOUNCE of this tree on this link the first `keepPrefix` and the last `keepSuffix` stay,
 * `edges` stand between them. A sender without coordinates sends the empty root.
 */
export const ANNOUNCE = new Layout(Kind.ANNOUNCE, {
  tree,
  root: binOf(0, KEY_BYTES),
  seq,
  signature: binOf(0, SIGNATURE_BYTES),
  delayMs: uint(DELAY_HINT_MS_MAX),
  keepPrefix: uint(TREE_DEPTH_MAX),
  keepSuffix: uint(TREE_DEPTH_MAX),
  edges: list(bin(EDGE_BYTES), TREE_DEPTH_MAX),
});
export type Announce = FrameOf<typeof ANNOUNCE>;

/** `flags` of ANNOUNCE_REQUEST: the last ANNOUNCE was not read, so the next is to keep nothing of it. */
export const REQUEST_WHOLE = 1;

/** Asks for an ANNOUNCE to the asker alone. */
export const ANNOUNCE_REQUEST = new Layout(Kind.ANNOUNCE_REQUEST, { tree, flags: uint(REQUEST_WHOLE) });
export type AnnounceRequest = FrameOf<typeof ANNOUNCE_REQUEST>;

/** Asks, towards the root, for a seq of at least `seq`. Answered by an ANNOUNCE from whoever holds one. */
export const SEQ_REQUEST = new Layout(Kind.SEQ_REQUEST, { tree, root, seq, hops: uint(HOP_LIMIT) });
export type SeqRequest = FrameOf<typeof SEQ_REQUEST>;

/** A child of the root lost its link to it; flooded once per (root, seq). Signed by that child, whose edge goes along. */
export const ROOT_LOST = new Layout(Kind.ROOT_LOST, {
  tree,
  root,
  seq,
  edge: bin(EDGE_BYTES),
  signature: bin(SIGNATURE_BYTES),
});
export type RootLost = FrameOf<typeof ROOT_LOST>;

/** `op` of REG. */
export const RegOp = {
  /** The sender takes the receiver as its parent: the replicated set starts empty. The first entry is the sender's own edge. */
  ATTACH: 0,
  /** Changes to the set, deletions first. */
  UPDATE: 1,
  /** The sender has another parent now: the set is void. */
  DETACH: 2,
} as const;

/** From child to parent: which keys live below the child. Each entry is the parent's key and the edge to be added. */
export const REG = new Layout(Kind.REG, {
  tree,
  op: uint(2),
  dels: list(bin(ID_BYTES), REG_ENTRIES_MAX),
  adds: list(bin(REG_ENTRY_BYTES), REG_ENTRIES_MAX),
});
export type Reg = FrameOf<typeof REG>;

/** Why an entry of REG was refused. */
export const RegRefusal = {
  /** A newer epoch of that child is known: `epoch`. */
  STALE: 0,
  /** The quota of the port, or of the whole table, is used up. */
  FULL: 1,
  /** The entry's parent is not below the sender. */
  DETACHED: 2,
} as const;

/** Tells a child that an entry was refused, and the epoch that won. */
export const REG_REFUSED = new Layout(Kind.REG_REFUSED, {
  tree,
  id: bin(ID_BYTES),
  reason: uint(2),
  epoch: uint(EPOCH_MAX),
});
export type RegRefused = FrameOf<typeof REG_REFUSED>;

/** Back to the sender of a source-routed frame, by the ports that it overwrote: the route of that id does not lead on. A hint. */
export const ROUTE_BROKEN = new Layout(Kind.ROUTE_BROKEN, {
  hops: uint(HOP_LIMIT),
  index: uint(ROUTE_HOPS_MAX),
  routeId: bin(8),
  back: ports(ROUTE_HOPS_MAX),
});
export type RouteBroken = FrameOf<typeof ROUTE_BROKEN>;
