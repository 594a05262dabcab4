import { concatBytes } from "../../src/wire/bytes.js";

/* msgpack written out by hand, in every form that can hold a value, so that the tests do not trust the encoder under test. */

export function head(first: number, size: number, value: number): Uint8Array {
  const bytes = new Uint8Array(1 + size);
  bytes[0] = first;
  for (let at = size, rest = value; at > 0; at--, rest = Math.floor(rest / 256)) bytes[at] = rest % 256;
  return bytes;
}

/** Every encoding of an unsigned integer, the shortest first. */
export function uintForms(value: number): Uint8Array[] {
  const forms: Uint8Array[] = [];
  if (value < 0x80) forms.push(Uint8Array.of(value));
  if (value < 0x100) forms.push(head(0xcc, 1, value));
  if (value < 0x10000) forms.push(head(0xcd, 2, value));
  if (value < 0x100000000) forms.push(head(0xce, 4, value));
  forms.push(head(0xcf, 8, value));
  return forms;
}

/** Every encoding of bytes, the shortest first. */
export function binForms(bytes: Uint8Array): Uint8Array[] {
  const forms: Uint8Array[] = [];
  if (bytes.length < 0x100) forms.push(concatBytes(head(0xc4, 1, bytes.length), bytes));
  if (bytes.length < 0x10000) forms.push(concatBytes(head(0xc5, 2, bytes.length), bytes));
  forms.push(concatBytes(head(0xc6, 4, bytes.length), bytes));
  return forms;
}

/** Every head of an array, the shortest first. */
export function arrayHeads(length: number): Uint8Array[] {
  const forms: Uint8Array[] = [];
  if (length < 16) forms.push(Uint8Array.of(0x90 | length));
  if (length < 0x10000) forms.push(head(0xdc, 2, length));
  forms.push(head(0xdd, 4, length));
  return forms;
}

/** Every encoding of a value with one head or number longer than need be; a whole array in its shortest form comes first. */
export function forms(value: unknown): Uint8Array[] {
  if (typeof value === "number") return uintForms(value);
  if (value instanceof Uint8Array) return binForms(value);
  const elements = (value as unknown[]).map(forms);
  const shortest = elements.map((element) => element[0]!);
  const all = arrayHeads(elements.length).map((first) => concatBytes(first, ...shortest));
  elements.forEach((element, i) => {
    for (const longer of element.slice(1)) {
      all.push(concatBytes(arrayHeads(elements.length)[0]!, ...shortest.with(i, longer)));
    }
  });
  return all;
}

/** A value of each msgpack type that no frame carries, and the one byte that msgpack leaves unused. */
export const FOREIGN: Readonly<Record<string, Uint8Array>> = {
  nil: Uint8Array.of(0xc0),
  unused: Uint8Array.of(0xc1),
  false: Uint8Array.of(0xc2),
  true: Uint8Array.of(0xc3),
  "float 32": Uint8Array.of(0xca, 0, 0, 0, 0),
  "float 64": Uint8Array.of(0xcb, 0x40, 0x1c, 0, 0, 0, 0, 0, 0),
  "negative fixint": Uint8Array.of(0xff),
  "int 8": Uint8Array.of(0xd0, 7),
  "int 16": Uint8Array.of(0xd1, 0, 7),
  "int 32": Uint8Array.of(0xd2, 0, 0, 0, 7),
  "int 64": Uint8Array.of(0xd3, 0, 0, 0, 0, 0, 0, 0, 7),
  "empty fixstr": Uint8Array.of(0xa0),
  fixstr: Uint8Array.of(0xa1, 0x61),
  "str 8": Uint8Array.of(0xd9, 1, 0x61),
  "str 16": Uint8Array.of(0xda, 0, 1, 0x61),
  "str 32": Uint8Array.of(0xdb, 0, 0, 0, 1, 0x61),
  "empty fixmap": Uint8Array.of(0x80),
  fixmap: Uint8Array.of(0x81, 1, 2),
  "map 16": Uint8Array.of(0xde, 0, 1, 1, 2),
  "map 32": Uint8Array.of(0xdf, 0, 0, 0, 1, 1, 2),
  "fixext 1": Uint8Array.of(0xd4, 1, 0),
  "fixext 4, a timestamp": Uint8Array.of(0xd6, 0xff, 0, 0, 0, 1),
  "ext 8": Uint8Array.of(0xc7, 1, 1, 0),
  "ext 32": Uint8Array.of(0xc9, 0, 0, 0, 1, 1, 0),
  "array in an array": Uint8Array.of(0x91, 0x90),
  "sixty arrays in each other": Uint8Array.from({ length: 60 }, (_, i) => (i === 59 ? 0x90 : 0x91)),
  "array 32": Uint8Array.of(0xdd, 0, 0, 0, 0),
};
