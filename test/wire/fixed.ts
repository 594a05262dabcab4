import { decode } from "@msgpack/msgpack";
import fc from "fast-check";
import { concatBytes, equalBytes } from "../../src/wire/bytes.js";
import { Kind } from "../../src/wire/kinds.js";
import { PAYLOAD_BYTES_MAX, PLACE_BYTES_MAX, PROBE_RECORD_BYTES, ROUTE_HOPS_MAX } from "../../src/wire/limits.js";
import { ProbeMode } from "../../src/wire/probe.js";
import { head } from "./forms.js";

/*
 * The naive twins of the frames that a relay edits in place: decode with a general decoder, change a value, encode every element
 * again in its fixed width.
 */

type Width = "uint 8" | "uint 16" | "bin 8" | "bin 16";

/** The values of a DATA or PROBE frame by name: numbers and bytes, lists of ports as numbers. */
export type FixedValues = Record<string, number | Uint8Array>;

export interface FixedLayout {
  readonly kind: Kind;
  readonly widths: Readonly<Record<string, Width>>;
  /** The ranges and relations that PROTOCOL.md gives. */
  accepts(values: FixedValues): boolean;
}

const size = (value: number | Uint8Array | undefined): number => (value as Uint8Array).length;

export const DATA: FixedLayout = {
  kind: Kind.DATA,
  widths: {
    hops: "uint 8",
    bits: "uint 8",
    tree: "uint 8",
    mask: "uint 8",
    depth: "uint 8",
    index: "uint 8",
    routeId: "bin 8",
    key: "bin 8",
    route: "bin 16",
    payload: "bin 16",
  },
  accepts: ({ bits, tree, mask, index, routeId, key, route, payload }) =>
    Number(bits) <= 15 &&
    Number(tree) <= 2 &&
    Number(mask) <= 7 &&
    size(routeId) === 8 &&
    size(key) === 32 &&
    size(route) % 2 === 0 &&
    size(route) / 2 <= ROUTE_HOPS_MAX &&
    Number(index) <= size(route) / 2 &&
    size(payload) <= PAYLOAD_BYTES_MAX,
};

export const PROBE: FixedLayout = {
  kind: Kind.PROBE,
  widths: {
    hops: "uint 8",
    bits: "uint 8",
    tree: "uint 8",
    mask: "uint 8",
    depth: "uint 8",
    index: "uint 8",
    length: "uint 8",
    nearest: "uint 16",
    nonce: "bin 8",
    key: "bin 8",
    record: "bin 16",
    place: "bin 16",
  },
  accepts: ({ bits, tree, mask, index, length, nonce, key, record, place }) =>
    Number(bits) <= 15 &&
    (Number(bits) < 8 || (Number(bits) & 3) === 0) &&
    Number(tree) <= 2 &&
    Number(mask) <= 7 &&
    Number(index) <= 127 &&
    size(nonce) === 8 &&
    size(key) === 32 &&
    size(record) === PROBE_RECORD_BYTES &&
    size(place) <= PLACE_BYTES_MAX &&
    modeAccepts(Number(bits) & 3, Number(index), Number(length), size(place)),
};

function modeAccepts(mode: number, index: number, length: number, placeBytes: number): boolean {
  if (mode === ProbeMode.SOURCE) return length <= ROUTE_HOPS_MAX && index <= length && placeBytes === 0;
  if (mode === ProbeMode.KEY) return length === 0;
  return mode === ProbeMode.TREE && length === 0 && placeBytes > 0;
}

export function encodeFixed(layout: FixedLayout, values: FixedValues): Uint8Array {
  const names = Object.keys(layout.widths);
  const elements = names.map((name) => encodeWidth(layout.widths[name]!, values[name]!));
  return concatBytes(Uint8Array.of(0x90 | (names.length + 1), layout.kind), ...elements);
}

function encodeWidth(width: Width, value: number | Uint8Array): Uint8Array {
  if (width === "uint 8") return head(0xcc, 1, value as number);
  if (width === "uint 16") return head(0xcd, 2, value as number);
  return concatBytes(width === "bin 8" ? head(0xc4, 1, size(value)) : head(0xc5, 2, size(value)), value as Uint8Array);
}

/** The values of a frame, or undefined where a general decoder does not find this layout in these widths. */
export function decodeFixed(layout: FixedLayout, frame: Uint8Array): FixedValues | undefined {
  let elements: unknown;
  try {
    elements = decode(frame);
  } catch {
    return undefined;
  }
  const names = Object.keys(layout.widths);
  if (!Array.isArray(elements) || elements.length !== names.length + 1 || elements[0] !== layout.kind) return undefined;
  const values: FixedValues = {};
  for (const [i, name] of names.entries()) {
    const value: unknown = elements[i + 1];
    const typed = layout.widths[name]!.startsWith("uint") ? typeof value === "number" : value instanceof Uint8Array;
    if (!typed) return undefined;
    values[name] = value as number | Uint8Array;
  }
  return equalBytes(encodeFixed(layout, values), frame) && layout.accepts(values) ? values : undefined;
}

const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength, size: "max" });
const record = <T>(fields: { [name in keyof T]: fc.Arbitrary<T[name]> }): fc.Arbitrary<T> =>
  fc.record<T>(fields, { noNullPrototype: true });
const byte = (max = 255) => fc.integer({ min: 0, max });

/** Ports as the bytes of a route. */
export const portBytes = (ports: readonly number[]): Uint8Array =>
  Uint8Array.from(ports.flatMap((port) => [port >>> 8, port & 0xff]));
/** Bytes of a route as ports. */
export const portNumbers = (route: Uint8Array): number[] =>
  Array.from({ length: route.length / 2 }, (_, i) => route[2 * i]! * 256 + route[2 * i + 1]!);

/** Frames that the layout allows, of every mode. */
export const dataValues: fc.Arbitrary<FixedValues> = byte(ROUTE_HOPS_MAX).chain((hops) =>
  record({
    hops: byte(),
    bits: byte(15),
    tree: byte(2),
    mask: byte(7),
    depth: byte(),
    index: byte(hops),
    routeId: bytes(8),
    key: bytes(32),
    route: bytes(2 * hops),
    payload: bytes(0, 300),
  }),
);

/** The sizes of place that a probe of each mode may carry. */
const PLACE_SIZES: readonly ((sizeBytes: number) => number[])[] = [
  () => [0],
  (sizeBytes) => [0, sizeBytes],
  (sizeBytes) => [sizeBytes],
];

export const probeValues: fc.Arbitrary<FixedValues> = fc
  .record({
    mode: byte(2),
    down: byte(1),
    detour: byte(1),
    length: byte(127),
    index: byte(127),
    placeBytes: fc.integer({ min: 1, max: PLACE_BYTES_MAX }),
  })
  .chain(({ mode, down, detour, length, index, placeBytes }) =>
    record({
      hops: byte(),
      bits: fc.constant(mode | (down << 2) | (mode === 0 ? detour << 3 : 0)),
      tree: byte(2),
      mask: byte(7),
      depth: byte(),
      index: fc.constant(mode === 0 ? Math.min(index, length) : index),
      length: fc.constant(mode === 0 ? length : 0),
      nearest: fc.integer({ min: 0, max: 0xffff }),
      nonce: bytes(8),
      key: bytes(32),
      record: bytes(PROBE_RECORD_BYTES),
      place: fc.oneof(...PLACE_SIZES[mode]!(placeBytes).map((sizeBytes) => bytes(sizeBytes))),
    }),
  );
