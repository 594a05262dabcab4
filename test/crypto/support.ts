/** What the tests of cryptography share: both sets, published vectors, bytes from text. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { portableCrypto } from "../../src/crypto/portable.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";

export const native = nativeCrypto();
export const portable = portableCrypto;
export const bothSets = [portable, native];

/** Both orders of the two sets: who makes, who checks. */
export const crossed = [
  { maker: portable, checker: native },
  { maker: native, checker: portable },
];

export const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A `test/vectors/wycheproof-*.json`. */
export interface Wycheproof<Group, Case> {
  readonly numberOfTests: number;
  readonly testGroups: readonly (Group & { readonly tests: readonly (WycheproofCase & Case)[] })[];
}
export interface WycheproofCase {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: "valid" | "acceptable" | "invalid";
}

export function wycheproof<Group, Case>(name: string): Wycheproof<Group, Case> {
  const url = new URL(`../../../test/vectors/wycheproof-${name}_test.json`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8"));
}

export const anyBytes = (sizeBytes: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: sizeBytes, maxLength: sizeBytes });

/** A copy with one bit changed. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}
