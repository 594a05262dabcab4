import assert from "node:assert/strict";
import { decode, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import t from "tap";
import { equalBytes } from "../../src/wire/bytes.js";
import { CloseCode } from "../../src/wire/codes.js";
import { REG_ENTRIES_MAX } from "../../src/wire/limits.js";
import { skim } from "../../src/wire/skim.js";
import { fuzzRuns } from "../fuzz/runs.js";
import { forms } from "./forms.js";
import { messageLike, mutate, mutation } from "./mutate.js";

const isScalar = (value: unknown) =>
  (typeof value === "number" && Number.isInteger(value) && value >= 0) ||
  (typeof value === "bigint" && value >= 2n ** 32n) ||
  value instanceof Uint8Array;

/** The naive twin: everything decoded, looked at, encoded again in the shortest form, and compared. */
function naiveSkim(message: Uint8Array): boolean {
  let elements: unknown;
  try {
    elements = decode(message, { useBigInt64: true });
  } catch {
    return false;
  }
  if (!Array.isArray(elements) || elements.length > 15) return false;
  const known = elements.every(
    (element) =>
      isScalar(element) || (Array.isArray(element) && element.length <= REG_ENTRIES_MAX && element.every(isScalar)),
  );
  return known && equalBytes(encode(elements, { useBigInt64: true }), message);
}

const scalar = fc.oneof(
  fc.nat({ max: 300 }),
  fc.maxSafeInteger().map(Math.abs),
  fc.uint8Array({ maxLength: 300, size: "max" }),
);
const elements = fc.array(fc.oneof(scalar, fc.array(scalar, { maxLength: 20 })), { maxLength: 15 });

t.test("what skim accepts is what a general decoder finds in its one canonical form", async (t) => {
  let accepted = 0;
  const agree = (message: Uint8Array): void => {
    const verdict = skim(message);
    if (verdict === 0) accepted++;
    assert.ok(verdict === 0 || verdict === CloseCode.MALFORMED || verdict === CloseCode.NON_CANONICAL);
    assert.equal(verdict === 0, naiveSkim(message));
  };
  const numRuns = fuzzRuns(500);
  fc.assert(fc.property(messageLike, agree), { numRuns });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), agree), { numRuns });
  fc.assert(
    fc.property(elements, mutation, fc.nat(), (values, change, pick) => {
      const all = forms(values);
      agree(all[0]!);
      agree(all[pick % all.length]!);
      agree(mutate(all[0]!, change));
    }),
    { numRuns },
  );
  t.ok(accepted > numRuns, `${accepted} accepted`);
});

t.test("a list of 256 elements is taken and one of 257 is not", async (t) => {
  const list = (length: number) => forms([1, Array.from({ length }, () => 0)])[0]!;
  t.equal(skim(list(REG_ENTRIES_MAX)), 0);
  t.equal(skim(list(REG_ENTRIES_MAX + 1)), CloseCode.MALFORMED);
});

t.test("a list of 15 elements has the short head and one of 16 the long one", async (t) => {
  const list = (length: number) => Uint8Array.from([0x92, 1, 0xdc, 0, length, ...new Array<number>(length).fill(0)]);
  t.equal(skim(list(15)), CloseCode.NON_CANONICAL);
  t.equal(skim(list(16)), 0);
});
