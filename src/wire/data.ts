import { readUint16, writeUint16 } from "./bytes.js";
import { Kind } from "./kinds.js";
import { KEY_BYTES, PAYLOAD_BYTES_MAX, ROUTE_HOPS_MAX } from "./limits.js";

/*
 * DATA: a packet on its way. Every element before the route has a fixed width, so a relay forwards by changing bytes in place and
 * sending the same buffer.
 *
 *   0   1  9b         array of 11
 *   1   1  30         DATA
 *   2   2  cc hops    nodes passed
 *   4   2  cc bits    1 KEY mode (else SOURCE), 2 going down, 4 congestion met, 8 fell back
 *   6   2  cc tree    KEY mode: the tree followed
 *   8   2  cc mask    KEY mode: bit t, tree t was tried
 *  10   2  cc depth   KEY mode: depth of the node that the frame was last sent to; 255 none yet
 *  12   2  cc index   SOURCE mode: the next port of the route to be read
 *  14  10  c4 08 id   route id, the sender's random name for the route
 *  24  34  c4 20 key  destination
 *  58   3  c5 length  route, in bytes: two a port
 *  61   n             ports; each one read is overwritten with the port that the frame came in by
 *       3  c5 length  payload
 *       p             payload
 */
const HOPS_AT = 3;
const BITS_AT = 5;
const TREE_AT = 7;
const MASK_AT = 9;
const DEPTH_AT = 11;
const INDEX_AT = 13;
const ROUTE_ID_AT = 16;
const DESTINATION_AT = 26;
const ROUTE_LENGTH_AT = 59;
const ROUTE_AT = 61;

export const BIT_KEY = 1;
export const BIT_DOWN = 2;
export const BIT_CONGESTION = 4;
export const BIT_FELL_BACK = 8;
/** `depth` of a KEY frame that was sent to nobody yet. */
export const DEPTH_NONE = 255;

/** Bytes before the payload of a DATA frame whose route has `hops` ports. */
export function dataHeaderBytes(hops: number): number {
  return ROUTE_AT + 2 * hops + 3;
}

/**
 * Writes the header of a DATA frame at the start of `frame`, whose payload of `frame.length − dataHeaderBytes(route.length)` bytes
 * already stands behind it. With an empty route the frame starts in KEY mode.
 */
export function writeDataHeader(
  frame: Uint8Array,
  route: ArrayLike<number>,
  routeId: Uint8Array,
  key: Uint8Array,
): void {
  const hops = route.length;
  frame[0] = 0x9b;
  frame[1] = Kind.DATA;
  for (let at = 2; at < 14; at += 2) frame[at] = 0xcc;
  frame[HOPS_AT] = 0;
  frame[BITS_AT] = hops === 0 ? BIT_KEY : 0;
  frame[TREE_AT] = 0;
  frame[MASK_AT] = 0;
  frame[DEPTH_AT] = DEPTH_NONE;
  frame[INDEX_AT] = 0;
  frame[14] = 0xc4;
  frame[15] = 8;
  frame.set(routeId, ROUTE_ID_AT);
  frame[24] = 0xc4;
  frame[25] = KEY_BYTES;
  frame.set(key, DESTINATION_AT);
  frame[58] = 0xc5;
  writeUint16(frame, ROUTE_LENGTH_AT, 2 * hops);
  for (let i = 0; i < hops; i++) writeUint16(frame, ROUTE_AT + 2 * i, route[i]!);
  const payloadAt = dataHeaderBytes(hops);
  frame[payloadAt - 3] = 0xc5;
  writeUint16(frame, payloadAt - 2, frame.length - payloadAt);
}

/** True where every byte that the layout fixes is there, every length fits the frame, and every field is within its range. */
export function isData(frame: Uint8Array): boolean {
  if (frame.length < ROUTE_AT + 3 || frame[0] !== 0x9b || frame[1] !== Kind.DATA) return false;
  for (let at = 2; at < 14; at += 2) if (frame[at] !== 0xcc) return false;
  if (frame[14] !== 0xc4 || frame[15] !== 8 || frame[24] !== 0xc4 || frame[25] !== KEY_BYTES || frame[58] !== 0xc5)
    return false;
  if (frame[BITS_AT]! > 15 || frame[TREE_AT]! > 2 || frame[MASK_AT]! > 7) return false;
  const routeBytes = readUint16(frame, ROUTE_LENGTH_AT);
  if ((routeBytes & 1) !== 0 || routeBytes > 2 * ROUTE_HOPS_MAX || 2 * frame[INDEX_AT]! > routeBytes) return false;
  const payloadAt = ROUTE_AT + routeBytes + 3;
  if (payloadAt > frame.length || frame[payloadAt - 3] !== 0xc5) return false;
  const payloadBytes = frame.length - payloadAt;
  return payloadBytes <= PAYLOAD_BYTES_MAX && readUint16(frame, payloadAt - 2) === payloadBytes;
}

export const dataHops = (frame: Uint8Array): number => frame[HOPS_AT]!;
export const dataBits = (frame: Uint8Array): number => frame[BITS_AT]!;
export const dataTree = (frame: Uint8Array): number => frame[TREE_AT]!;
export const dataMask = (frame: Uint8Array): number => frame[MASK_AT]!;
export const dataDepth = (frame: Uint8Array): number => frame[DEPTH_AT]!;
export const dataIndex = (frame: Uint8Array): number => frame[INDEX_AT]!;
export const dataRouteLength = (frame: Uint8Array): number => readUint16(frame, ROUTE_LENGTH_AT) >>> 1;
export const dataRoutePort = (frame: Uint8Array, i: number): number => readUint16(frame, ROUTE_AT + 2 * i);
/** Views of the frame: copy what is kept. */
export const dataRouteId = (frame: Uint8Array): Uint8Array => frame.subarray(ROUTE_ID_AT, ROUTE_ID_AT + 8);
export const dataDestination = (frame: Uint8Array): Uint8Array =>
  frame.subarray(DESTINATION_AT, DESTINATION_AT + KEY_BYTES);
export const dataPayload = (frame: Uint8Array): Uint8Array =>
  frame.subarray(ROUTE_AT + readUint16(frame, ROUTE_LENGTH_AT) + 3);

/** True where the frame's destination is `key`, without making a view. */
export function dataIsFor(frame: Uint8Array, key: Uint8Array): boolean {
  for (let i = 0; i < KEY_BYTES; i++) if (frame[DESTINATION_AT + i] !== key[i]) return false;
  return true;
}

/** Bumps the hop counter. */
export function editHops(frame: Uint8Array): void {
  frame[HOPS_AT] = frame[HOPS_AT]! + 1;
}

/** A relay's step on a source route: the port just read becomes the port that the frame came in by, the index moves on. */
export function editSourceStep(frame: Uint8Array, ingress: number): void {
  writeUint16(frame, ROUTE_AT + 2 * frame[INDEX_AT]!, ingress);
  frame[INDEX_AT] = frame[INDEX_AT]! + 1;
}

/** The source route does not lead on: the frame goes by KEY from here. */
export function editFallBack(frame: Uint8Array): void {
  frame[BITS_AT] = (frame[BITS_AT]! | BIT_KEY | BIT_FELL_BACK) & ~BIT_DOWN;
  frame[TREE_AT] = 0;
  frame[MASK_AT] = 0;
  frame[DEPTH_AT] = DEPTH_NONE;
}

/** A step in KEY mode: the tree followed, the trees given up, the direction, and the depth of the node that it is sent to. */
export function editKeyStep(frame: Uint8Array, tree: number, mask: number, down: boolean, depth: number): void {
  frame[BITS_AT] = down ? frame[BITS_AT]! | BIT_DOWN : frame[BITS_AT]! & ~BIT_DOWN;
  frame[TREE_AT] = tree;
  frame[MASK_AT] = mask;
  frame[DEPTH_AT] = depth;
}

/** Marks that a queue on the way was longer than its delay target. */
export function editCongestion(frame: Uint8Array): void {
  frame[BITS_AT] = frame[BITS_AT]! | BIT_CONGESTION;
}

/**
 * The port by which the frame came to the neighbour that sent it on, as that neighbour wrote it into the route; 0 where the neighbour
 * is the sender, or the frame goes by KEY.
 */
export function dataPortBefore(frame: Uint8Array): number {
  const passed = frame[INDEX_AT]!;
  return passed < 2 || (frame[BITS_AT]! & (BIT_KEY | BIT_FELL_BACK)) !== 0 ? 0 : dataRoutePort(frame, passed - 1);
}

/**
 * The ports that lead back from a node that the frame reached by `ingress` on its source route: `ingress`, then the overwritten
 * ports from the last to the first relay. Empty where the frame fell back: then they lead nowhere.
 */
export function dataRouteBack(frame: Uint8Array, ingress: number): Uint16Array {
  const passed = frame[INDEX_AT]!;
  if (passed === 0 || (frame[BITS_AT]! & (BIT_KEY | BIT_FELL_BACK)) !== 0) return new Uint16Array(0);
  const back = new Uint16Array(passed);
  back[0] = ingress;
  for (let i = 1; i < passed; i++) back[i] = dataRoutePort(frame, passed - i);
  return back;
}
