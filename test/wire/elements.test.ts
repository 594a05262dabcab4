import { decode, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import t from "tap";
import { type Element, ElementReader } from "../../src/wire/elements.js";
import { skim } from "../../src/wire/skim.js";

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.integer({ min: 0, max: 70_000 }).map((n) => new Uint8Array(n)),
);
const scalar = fc.oneof(fc.nat(300), fc.maxSafeNat(), bytes);
const message = fc.array(fc.oneof(scalar, fc.array(scalar, { maxLength: 40 })), { maxLength: 15 });

function read(frame: Uint8Array): Element[] {
  const reader = new ElementReader();
  return Array.from({ length: reader.begin(frame) }, () => reader.next());
}

t.test("reads what the msgpack library reads of every message that is well-formed", async () => {
  fc.assert(
    fc.property(message, (elements) => {
      const frame = encode(elements);
      t.equal(skim(frame), 0);
      t.same(read(frame), decode(frame));
    }),
    { numRuns: 300 },
  );
});

t.test("binary values are views of the message", async (t) => {
  const frame = encode([7, Uint8Array.of(1, 2, 3)]);
  const [, view] = read(frame);
  frame[frame.length - 1] = 9;
  t.same(view, Uint8Array.of(1, 2, 9));
});
