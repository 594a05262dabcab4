import { Encoder } from "@msgpack/msgpack";
import { CloseCode } from "./codes.js";
import { ElementReader } from "./elements.js";
import type { Kind } from "./kinds.js";
import { type Refusal, skim } from "./skim.js";

/** One element of a frame: what it may be, and how PROTOCOL.md writes that. */
export interface Field<T> {
  readonly shape: string;
  accepts(value: unknown): value is T;
}

/** An unsigned integer up to `max`, from `min` where that is given. */
export function uint(max: number, min = 0): Field<number> {
  return {
    shape: min === 0 ? `uint ≤ ${max}` : `uint ${min}–${max}`,
    accepts: (value): value is number =>
      typeof value === "number" && Number.isInteger(value) && value >= min && value <= max,
  };
}

/** Bytes, `min` to `max` of them (exactly `min` where no `max` is given). */
export function bin(min: number, max = min): Field<Uint8Array> {
  return {
    shape: min === max ? `bin ${min}` : `bin ${min}–${max}`,
    accepts: (value): value is Uint8Array => value instanceof Uint8Array && value.length >= min && value.length <= max,
  };
}

/** Bytes of one of the given sizes. */
export function binOf(...sizes: readonly number[]): Field<Uint8Array> {
  return {
    shape: `bin ${sizes.join(" or ")}`,
    accepts: (value): value is Uint8Array => value instanceof Uint8Array && sizes.includes(value.length),
  };
}

/** A list of 1 to `max` ports, two bytes each. */
export function ports(max: number): Field<Uint8Array> {
  return {
    shape: `bin 2–${2 * max}, even`,
    accepts: (value): value is Uint8Array =>
      value instanceof Uint8Array && value.length >= 2 && value.length <= 2 * max && value.length % 2 === 0,
  };
}

/** An array of at most `max` elements of one shape. */
export function list<T>(element: Field<T>, max: number): Field<T[]> {
  return {
    shape: `array ≤ ${max} of ${element.shape}`,
    accepts: (value): value is T[] => Array.isArray(value) && value.length <= max && value.every(element.accepts),
  };
}

type Fields = Record<string, Field<unknown>>;
type Values<F extends Fields> = { [name in keyof F]: F[name] extends Field<infer T> ? T : never };

/** The values that a layout carries, by name. */
export type FrameOf<L> = L extends Layout<infer F> ? Values<F> : never;

const encoder = new Encoder();
const reader = new ElementReader();

/** One kind of control frame or hello message: encodes it, and decodes nothing but its one canonical form. */
export class Layout<F extends Fields> {
  private readonly names: readonly (keyof F & string)[];

  constructor(
    readonly kind: Kind,
    readonly fields: F,
  ) {
    this.names = Object.keys(fields);
  }

  encode(values: Values<F>): Uint8Array {
    const elements: unknown[] = [this.kind];
    for (const name of this.names) elements.push(values[name]);
    return encoder.encode(elements);
  }

  /**
   * The values of a frame of this kind, or the code that the peer is told. Binary values are views of `message`, which may be a view
   * of a whole receive chunk: copy what is kept, or a few bytes pin many.
   */
  decode(message: Uint8Array): Values<F> | Refusal {
    const refusal = skim(message);
    if (refusal !== 0) return refusal;
    if (reader.begin(message) !== this.names.length + 1 || reader.next() !== this.kind) return CloseCode.MALFORMED;
    const values: Record<string, unknown> = {};
    for (const name of this.names) {
      const value = reader.next();
      if (!this.fields[name]!.accepts(value)) return CloseCode.MALFORMED;
      values[name] = value;
    }
    return values as Values<F>;
  }
}

/** Where frames that go back along a route, which begin with `hops` and `index`, have them. */
const HOPS_AT = 2;
const INDEX_AT = 3;
/** The largest number of one byte. */
const FIXINT_MAX = 0x7f;

/** Moves a decoded frame that goes back along a route on by one node, in place. False, and nothing done, where a number would not fit. */
export function editStepBack(frame: Uint8Array): boolean {
  if (frame[HOPS_AT]! >= FIXINT_MAX || frame[INDEX_AT]! >= FIXINT_MAX) return false;
  frame[HOPS_AT]!++;
  frame[INDEX_AT]!++;
  return true;
}
