import { readUint16, toHex, writeUint16 } from "./bytes.js";
import { Kind } from "./kinds.js";
import { bin, type FrameOf, Layout, ports, uint } from "./layout.js";
import { BALL_PADDING_BYTES, BALL_RECORDS_BYTES_MAX, HOP_LIMIT, ID_BYTES, ROUTE_HOPS_MAX } from "./limits.js";

/*
 * A record: a node and its links, the nearest first.
 *
 *   0   8  id of the node
 *   8   1  n, its links, at most 112
 *   per link:
 *       2  the node's port
 *       8  id of the neighbour
 *       2  delay of the link, one way, in tenths of a millisecond
 */
const HEAD_BYTES = ID_BYTES + 1;
const LINK_BYTES = 2 + ID_BYTES + 2;
const TENTHS_MAX = 0xffff;
/** Links in a record. */
export const RECORD_LINKS_MAX = 112;

export interface RecordLink {
  readonly port: number;
  /** The neighbour's id, in hex. */
  readonly id: string;
  readonly delayMs: number;
}

export interface BallRecord {
  /** In hex. */
  readonly id: string;
  readonly links: readonly RecordLink[];
}

/**
 * Asks the node at the end of `route` for its record and those that it holds of the nodes nearest to it. Each port read is overwritten
 * with the port that the frame came in by, as in DATA. The padding keeps the answer below three times the request.
 */
export const BALL_REQUEST = new Layout(Kind.BALL_REQUEST, {
  hops: uint(HOP_LIMIT),
  index: uint(ROUTE_HOPS_MAX),
  nonce: bin(8),
  route: ports(ROUTE_HOPS_MAX),
  padding: bin(BALL_PADDING_BYTES),
});
export type BallRequest = FrameOf<typeof BALL_REQUEST>;

/** The answer, by the overwritten ports: records, the answering node's own first. Nobody signs them: what they say is probed. */
export const BALL = new Layout(Kind.BALL, {
  hops: uint(HOP_LIMIT),
  index: uint(ROUTE_HOPS_MAX),
  nonce: bin(8),
  back: ports(ROUTE_HOPS_MAX),
  records: bin(HEAD_BYTES, BALL_RECORDS_BYTES_MAX),
});
export type Ball = FrameOf<typeof BALL>;

/** The record of a node whose links are at most `RECORD_LINKS_MAX`. Ids are bytes here, as whoever makes one has them so. */
export function encodeRecord(
  id: Uint8Array,
  links: readonly { readonly port: number; readonly id: Uint8Array; readonly delayMs: number }[],
): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + links.length * LINK_BYTES);
  bytes.set(id);
  bytes[ID_BYTES] = links.length;
  let at = HEAD_BYTES;
  for (const link of links) {
    writeUint16(bytes, at, link.port);
    bytes.set(link.id, at + 2);
    writeUint16(bytes, at + 2 + ID_BYTES, Math.min(TENTHS_MAX, Math.max(1, Math.round(10 * link.delayMs))));
    at += LINK_BYTES;
  }
  return bytes;
}

/** The records that follow one another in `bytes`, each with its own bytes, a view; undefined where they do not have the layout. */
export function decodeRecords(bytes: Uint8Array): { record: BallRecord; bytes: Uint8Array }[] | undefined {
  const records: { record: BallRecord; bytes: Uint8Array }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const count = bytes[at + ID_BYTES];
    if (count === undefined || count > RECORD_LINKS_MAX) return undefined;
    const end = at + HEAD_BYTES + count * LINK_BYTES;
    if (end > bytes.length) return undefined;
    const links: RecordLink[] = [];
    for (let link = at + HEAD_BYTES; link < end; link += LINK_BYTES) {
      const delayAt = link + 2 + ID_BYTES;
      const id = toHex(bytes.subarray(link + 2, delayAt));
      links.push({ port: readUint16(bytes, link), id, delayMs: readUint16(bytes, delayAt) / 10 });
    }
    const id = toHex(bytes.subarray(at, at + ID_BYTES));
    records.push({ record: { id, links }, bytes: bytes.subarray(at, end) });
    at = end;
  }
  return records;
}
