import fc from "fast-check";
import type { AnyLayout, Values } from "./layouts.js";

/*
 * Reads the shape of a field as PROTOCOL.md writes it and gives values inside and outside of it. So the tests of the layouts follow
 * the documentation, not the code of `accepts`.
 */

/** What a shape says. */
type Shape =
  | { readonly type: "uint"; readonly min: number; readonly max: number }
  | { readonly type: "bin"; readonly sizes: readonly number[] }
  | { readonly type: "array"; readonly max: number; readonly element: Shape };

export function parseShape(text: string): Shape {
  const list = /^array ≤ (\d+) of (.+)$/.exec(text);
  if (list !== null) return { type: "array", max: Number(list[1]), element: parseShape(list[2]!) };
  const uint = /^uint (?:≤ (\d+)|(\d+)–(\d+))$/.exec(text);
  if (uint !== null) return { type: "uint", min: Number(uint[2] ?? 0), max: Number(uint[1] ?? uint[3]) };
  const range = /^bin (\d+)–(\d+)(, even)?$/.exec(text);
  if (range !== null) return { type: "bin", sizes: sizesBetween(Number(range[1]), Number(range[2]), range[3] ? 2 : 1) };
  const choice = /^bin (\d+(?: or \d+)*)$/.exec(text);
  if (choice !== null) return { type: "bin", sizes: choice[1]!.split(" or ").map(Number) };
  throw new Error(`a shape that PROTOCOL.md does not know: ${text}`);
}

function sizesBetween(min: number, max: number, step: number): number[] {
  const sizes: number[] = [];
  for (let size = min; size <= max; size += step) sizes.push(size);
  return sizes;
}

function arbitraryOf(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.type) {
    case "uint":
      return fc.oneof(
        fc.constantFrom(shape.min, shape.max),
        fc.maxSafeInteger().map((value) => shape.min + (Math.abs(value) % (shape.max - shape.min + 1))),
      );
    case "bin":
      return fc
        .constantFrom(...shape.sizes)
        .chain((size) => fc.uint8Array({ minLength: size, maxLength: size, size: "max" }));
    case "array":
      return fc.array(arbitraryOf(shape.element), { maxLength: shape.max, size: "small" });
  }
}

/** Values for a whole layout, each inside its shape. */
export function valuesOf(layout: AnyLayout): fc.Arbitrary<Values> {
  const fields = Object.entries(layout.fields).map(([name, field]) => [name, arbitraryOf(parseShape(field.shape))]);
  return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, { noNullPrototype: true });
}

/** The values of the smallest and of the largest frame of a layout. */
export function extremeValues(layout: AnyLayout, end: "smallest" | "largest"): Values {
  const fields = Object.entries(layout.fields);
  return Object.fromEntries(fields.map(([name, field]) => [name, extreme(parseShape(field.shape), end)]));
}

function extreme(shape: Shape, end: "smallest" | "largest"): unknown {
  switch (shape.type) {
    case "uint":
      return end === "largest" ? shape.max : shape.min;
    case "bin":
      return new Uint8Array(end === "largest" ? Math.max(...shape.sizes) : Math.min(...shape.sizes)).fill(0xab);
    case "array":
      return end === "largest" ? Array.from({ length: shape.max }, () => extreme(shape.element, end)) : [];
  }
}

/** Values of wire types just outside a shape: the next larger and smaller, and those of another type. */
export function valuesOutside(text: string): unknown[] {
  const shape = parseShape(text);
  switch (shape.type) {
    case "uint":
      return [shape.max + 1, ...(shape.min > 0 ? [shape.min - 1] : []), new Uint8Array(8), []];
    case "bin": {
      const around = shape.sizes.flatMap((size) => [size - 1, size + 1]);
      const wrong = around.filter((size) => size >= 0 && !shape.sizes.includes(size));
      return [...new Set(wrong)].map<unknown>((size) => new Uint8Array(size)).concat([7, []]);
    }
    case "array": {
      const inside = extreme(shape.element, "smallest");
      const tooMany = Array.from({ length: shape.max + 1 }, () => inside);
      return [tooMany, ...valuesOutside(text.replace(/^array ≤ \d+ of /, "")).map((value) => [value]), 7, inside];
    }
  }
}
