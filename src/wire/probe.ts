import { readUint16, writeUint16 } from "./bytes.js";
import { Kind } from "./kinds.js";
import { bin, type FrameOf, Layout, ports, uint } from "./layout.js";
import {
  HOP_LIMIT,
  KEY_BYTES,
  LOCATOR_BYTES_MAX,
  PLACE_BYTES_MAX,
  PROBE_RECORD_BYTES,
  PROBE_SLOTS,
  ROUTE_HOPS_MAX,
  SIGNATURE_BYTES,
} from "./limits.js";

/*
 * PROBE: finds a key, or measures a source route. Slot i of its record belongs to the i-th node of the way, the sender's is 0: the
 * port that the frame came in by, then the port that it left by. In SOURCE mode the sender has filled in the ports to leave by. The
 * record has its full size from the start: it is the padding that keeps the reply below three times the probe.
 *
 *   0   1  9d           array of 13
 *   1   1  20           PROBE
 *   2   2  cc hops      nodes passed
 *   4   2  cc bits      mode: 0 SOURCE, 1 KEY, 2 TREE; 4 going down; 8 detour: at the end of the route goes on by KEY
 *   6   2  cc tree      KEY mode: the tree followed
 *   8   2  cc mask      KEY mode: bit t, tree t was tried
 *  10   2  cc depth     KEY mode: depth of the node that the frame was last sent to; 255 none yet
 *  12   2  cc index     the slot of the node that the frame is at
 *  14   2  cc length    SOURCE mode: the ports of the route
 *  16   3  cd nearest   TREE mode: the smallest distance to the target so far
 *  19  10  c4 08 nonce
 *  29  34  c4 20 key    the target; in SOURCE mode all zero asks whoever is at the end of the route
 *  63   3  c5 02 00     record
 *  66 512               128 slots of two ports
 * 578   3  c5 length    locator without epoch and signature: where the target is, in TREE mode. A probe that no tree leads on goes by
 *                       KEY and keeps it; empty where the probe began in another mode
 * 581   n
 */
const HOPS_AT = 3;
const BITS_AT = 5;
const TREE_AT = 7;
const MASK_AT = 9;
const DEPTH_AT = 11;
const INDEX_AT = 13;
const LENGTH_AT = 15;
const NEAREST_AT = 17;
const NONCE_AT = 21;
const TARGET_AT = 31;
const RECORD_AT = 66;
const PLACE_LENGTH_AT = RECORD_AT + PROBE_RECORD_BYTES + 1;
const PLACE_AT = PLACE_LENGTH_AT + 2;

export const ProbeMode = { SOURCE: 0, KEY: 1, TREE: 2 } as const;
export type ProbeMode = (typeof ProbeMode)[keyof typeof ProbeMode];
const BIT_DOWN = 4;
const BIT_DETOUR = 8;
/** `nearest` of a TREE probe before its first hop. */
export const NEAREST_NONE = 0xffff;
/** The target of a SOURCE probe that anyone at the end of the route answers. */
export const ANYONE: Uint8Array = new Uint8Array(KEY_BYTES);

/** Bytes of a probe whose place has `placeBytes` bytes. */
export const probeBytes = (placeBytes: number): number => PLACE_AT + placeBytes;

/**
 * A new probe at its sender, in slot 0. `route` belongs to SOURCE mode, `place` to TREE mode, `mask` to KEY mode. With `isDetour` a
 * probe in SOURCE mode goes on by KEY, in `tree`, from the end of its route.
 */
export function encodeProbe(
  mode: ProbeMode,
  nonce: Uint8Array,
  target: Uint8Array,
  options: { tree?: number; mask?: number; route?: ArrayLike<number>; place?: Uint8Array; isDetour?: boolean },
): Uint8Array {
  const place = options.place ?? new Uint8Array(0);
  const route = options.route ?? [];
  const frame = new Uint8Array(PLACE_AT + place.length);
  frame[0] = 0x9d;
  frame[1] = Kind.PROBE;
  for (let at = 2; at < 16; at += 2) frame[at] = 0xcc;
  frame[BITS_AT] = mode | (options.isDetour === true ? BIT_DETOUR : 0);
  frame[TREE_AT] = options.tree ?? 0;
  frame[MASK_AT] = options.mask ?? 0;
  frame[DEPTH_AT] = 255;
  frame[LENGTH_AT] = route.length;
  frame[16] = 0xcd;
  writeUint16(frame, NEAREST_AT, mode === ProbeMode.TREE ? NEAREST_NONE : 0);
  frame[19] = 0xc4;
  frame[20] = 8;
  frame.set(nonce, NONCE_AT);
  frame[29] = 0xc4;
  frame[30] = KEY_BYTES;
  frame.set(target, TARGET_AT);
  frame[63] = 0xc5;
  writeUint16(frame, 64, PROBE_RECORD_BYTES);
  for (let i = 0; i < route.length; i++) writeUint16(frame, RECORD_AT + 4 * i + 2, route[i]!);
  frame[PLACE_LENGTH_AT - 1] = 0xc5;
  writeUint16(frame, PLACE_LENGTH_AT, place.length);
  frame.set(place, PLACE_AT);
  return frame;
}

/** True where every byte that the layout fixes is there and every field is within its range. */
export function isProbe(frame: Uint8Array): boolean {
  if (frame.length < PLACE_AT || frame[0] !== 0x9d || frame[1] !== Kind.PROBE) return false;
  for (let at = 2; at < 16; at += 2) if (frame[at] !== 0xcc) return false;
  if (frame[16] !== 0xcd || frame[19] !== 0xc4 || frame[20] !== 8 || frame[29] !== 0xc4 || frame[30] !== KEY_BYTES)
    return false;
  if (frame[63] !== 0xc5 || readUint16(frame, 64) !== PROBE_RECORD_BYTES || frame[PLACE_LENGTH_AT - 1] !== 0xc5)
    return false;
  const bits = frame[BITS_AT]!;
  if (bits > 15 || (bits & 3) > 2 || frame[TREE_AT]! > 2 || frame[MASK_AT]! > 7) return false;
  if (frame[INDEX_AT]! >= PROBE_SLOTS || frame[LENGTH_AT]! > ROUTE_HOPS_MAX) return false;
  const placeBytes = readUint16(frame, PLACE_LENGTH_AT);
  if (placeBytes > PLACE_BYTES_MAX || PLACE_AT + placeBytes !== frame.length) return false;
  if ((bits & BIT_DETOUR) !== 0 && (bits & 3) !== ProbeMode.SOURCE) return false;
  if ((bits & 3) === ProbeMode.SOURCE) return placeBytes === 0 && frame[INDEX_AT]! <= frame[LENGTH_AT]!;
  return frame[LENGTH_AT] === 0 && ((bits & 3) === ProbeMode.KEY || placeBytes > 0);
}

export const probeHops = (frame: Uint8Array): number => frame[HOPS_AT]!;
export const probeMode = (frame: Uint8Array): ProbeMode => (frame[BITS_AT]! & 3) as ProbeMode;
export const probeDown = (frame: Uint8Array): boolean => (frame[BITS_AT]! & BIT_DOWN) !== 0;
export const probeDetour = (frame: Uint8Array): boolean => (frame[BITS_AT]! & BIT_DETOUR) !== 0;
export const probeTree = (frame: Uint8Array): number => frame[TREE_AT]!;
export const probeMask = (frame: Uint8Array): number => frame[MASK_AT]!;
export const probeDepth = (frame: Uint8Array): number => frame[DEPTH_AT]!;
export const probeIndex = (frame: Uint8Array): number => frame[INDEX_AT]!;
export const probeLength = (frame: Uint8Array): number => frame[LENGTH_AT]!;
export const probeNearest = (frame: Uint8Array): number => readUint16(frame, NEAREST_AT);
/** Views of the frame: copy what is kept. */
export const probeNonce = (frame: Uint8Array): Uint8Array => frame.subarray(NONCE_AT, NONCE_AT + 8);
export const probeTarget = (frame: Uint8Array): Uint8Array => frame.subarray(TARGET_AT, TARGET_AT + KEY_BYTES);
export const probePlace = (frame: Uint8Array): Uint8Array => frame.subarray(PLACE_AT);
/** The port that a SOURCE probe leaves slot `i` by. */
export const probeRoutePort = (frame: Uint8Array, i: number): number => readUint16(frame, RECORD_AT + 4 * i + 2);

/** Leaves this node: its ports go into its slot, the next slot and the hop counter follow. False where no slot is left. */
export function editProbeStep(frame: Uint8Array, ingress: number, egress: number): boolean {
  const slot = frame[INDEX_AT]!;
  if (slot + 1 >= PROBE_SLOTS) return false;
  writeUint16(frame, RECORD_AT + 4 * slot, ingress);
  writeUint16(frame, RECORD_AT + 4 * slot + 2, egress);
  frame[INDEX_AT] = slot + 1;
  frame[HOPS_AT] = frame[HOPS_AT]! + 1;
  return true;
}

/** A step in KEY mode; see `editKeyStep` of data.ts. A detour has its route behind it. */
export function editProbeKey(frame: Uint8Array, tree: number, mask: number, down: boolean, depth: number): void {
  frame[BITS_AT] = ProbeMode.KEY | (down ? BIT_DOWN : 0);
  frame[LENGTH_AT] = 0;
  frame[TREE_AT] = tree;
  frame[MASK_AT] = mask;
  frame[DEPTH_AT] = depth;
}

/** A step in TREE mode: the smallest distance to the target so far. */
export function editProbeNearest(frame: Uint8Array, nearest: number): void {
  writeUint16(frame, NEAREST_AT, nearest);
}

/** The ports from the sender to the node that the frame is at. */
export function probeRouteForward(frame: Uint8Array): Uint16Array {
  const route = new Uint16Array(frame[INDEX_AT]!);
  for (let i = 0; i < route.length; i++) route[i] = readUint16(frame, RECORD_AT + 4 * i + 2);
  return route;
}

/** The ports from the node that the frame reached by `ingress` back to the sender. */
export function probeRouteBack(frame: Uint8Array, ingress: number): Uint16Array {
  const slot = frame[INDEX_AT]!;
  const route = new Uint16Array(slot);
  if (slot > 0) route[0] = ingress;
  for (let i = 1; i < slot; i++) route[i] = readUint16(frame, RECORD_AT + 4 * (slot - i));
  return route;
}

/**
 * The target's answer, along `back`: the route that the probe took, the target's locator with its own signature, and the target's
 * signature over nonce, both routes and locator. `key` is the target's.
 */
export const PROBE_REPLY = new Layout(Kind.PROBE_REPLY, {
  hops: uint(HOP_LIMIT),
  index: uint(ROUTE_HOPS_MAX),
  nonce: bin(8),
  key: bin(KEY_BYTES),
  back: ports(ROUTE_HOPS_MAX),
  forward: ports(ROUTE_HOPS_MAX),
  locator: bin(6, LOCATOR_BYTES_MAX),
  locatorSignature: bin(SIGNATURE_BYTES),
  signature: bin(SIGNATURE_BYTES),
});
export type ProbeReply = FrameOf<typeof PROBE_REPLY>;
