/**
 * Protocol limits: what every node of a network agrees on. A change to any of them raises `PROTOCOL_VERSION`.
 * Local limits (queue sizes, rates, timeouts) stand in each folder's `config.ts`.
 */

/** Version in HELLO; nodes of different versions do not link. */
export const PROTOCOL_VERSION = 4;

/** Bytes of an Ed25519 public key: a node's address. */
export const KEY_BYTES = 32;
/** Bytes of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64;
/** The first bytes of a key that stand for it in tables and locators. */
export const ID_BYTES = 8;
/** Bytes of the nonce in HELLO. */
export const HELLO_NONCE_BYTES = 32;
/** Bytes of the message authentication code in PROOF. */
export const PROOF_MAC_BYTES = 32;
/** UTF-8 bytes of a network id. */
export const NETWORK_ID_BYTES_MAX = 64;

/** Trees, numbered 0, 1, 2. */
export const TREE_COUNT = 3;
/** Edges from a root to its deepest node; a node that would be deeper has no coordinates in that tree. */
export const TREE_DEPTH_MAX = 127;
/** Highest port number; 0 is the node itself. */
export const PORT_MAX = 65_535;
/** Largest value of an epoch or a root's seq: 48 bits. */
export const EPOCH_MAX = 2 ** 48 - 1;
/** An epoch that comes without a signature of ours is believed up to here: the year 2109 in milliseconds. */
export const EPOCH_HINT_MAX = 2 ** 42;

/** Ports in a source route. */
export const ROUTE_HOPS_MAX = 127;
/** Nodes a frame may pass, whatever its mode. */
export const HOP_LIMIT = 255;
/** Bytes of payload in one DATA frame. */
export const PAYLOAD_BYTES_MAX = 61_440;
/** Bytes of any frame: a DATA frame with the longest route and payload, and some room. */
export const FRAME_BYTES_MAX = 62_464;
/** Bytes of a message before the hello is complete. */
export const HELLO_BYTES_MAX = 512;

/** An edge on the wire: child key, parent's port, link epoch, tree epoch, two signatures. */
export const EDGE_BYTES = KEY_BYTES + 2 + 6 + 6 + 2 * SIGNATURE_BYTES;
/** A REG entry: the parent's key and the edge. */
export const REG_ENTRY_BYTES = KEY_BYTES + EDGE_BYTES;
/** Entries to add, and ids to delete, in one REG frame. */
export const REG_ENTRIES_MAX = 256;

/** Slots of a probe's record: the sender, up to 126 relays, the target. */
export const PROBE_SLOTS = ROUTE_HOPS_MAX + 1;
/** Bytes of a probe's record: an ingress and an egress port a slot. */
export const PROBE_RECORD_BYTES = PROBE_SLOTS * 4;
/** A reply is at most this many times its probe, and a BALL its request. */
export const PROBE_REPLY_FACTOR_MAX = 3;
/** Bytes of a place: per tree root id, length, ports. */
export const PLACE_BYTES_MAX = TREE_COUNT * (ID_BYTES + 1 + 2 * TREE_DEPTH_MAX);
/** Bytes of a locator without its signature: an epoch, a place. */
export const LOCATOR_BYTES_MAX = 6 + PLACE_BYTES_MAX;
/** Bytes that make a BALL_REQUEST as large as its answer allows. */
export const BALL_PADDING_BYTES = 512;
/** Bytes of records in one BALL. */
export const BALL_RECORDS_BYTES_MAX = 1_400;
/** Milliseconds of delay that an ANNOUNCE may claim. */
export const DELAY_HINT_MS_MAX = 60_000;
