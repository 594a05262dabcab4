import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { concatBytes, uint16, uint48 } from "../../src/wire/bytes.js";
import { EPOCH_MAX, LOCATOR_BYTES_MAX, PLACE_BYTES_MAX, PORT_MAX, TREE_DEPTH_MAX } from "../../src/wire/limits.js";
import {
  decodePlace,
  encodeLocator,
  locatorEpoch,
  locatorPlace,
  type Place,
  treeDistance,
} from "../../src/wire/locator.js";
import { fuzzRuns } from "../fuzz/runs.js";
import { mutate, mutation } from "./mutate.js";

const numRuns = fuzzRuns(300);

const coordinates = fc.array(fc.integer({ min: 1, max: PORT_MAX }), { maxLength: TREE_DEPTH_MAX, size: "max" });
const rootId = fc.uint8Array({ minLength: 8, maxLength: 8 }).filter((id) => id.some((byte) => byte !== 0));
const position = fc.record({ rootId, coordinates }, { noNullPrototype: true });
const place: fc.Arbitrary<Place> = fc.array(fc.option(position, { nil: undefined }), { minLength: 3, maxLength: 3 });
const epoch = fc.maxSafeInteger().map((value) => Math.abs(value) % (EPOCH_MAX + 1));

/** The layout that PROTOCOL.md gives, written by hand. */
function naiveLocator(epoch: number, place: Place): Uint8Array {
  const trees = place.map((position) =>
    position === undefined
      ? new Uint8Array(9)
      : concatBytes(
          position.rootId,
          Uint8Array.of(position.coordinates.length),
          ...[...position.coordinates].map((port) => uint16(port)),
        ),
  );
  return concatBytes(uint48(epoch), ...trees);
}

t.test("a locator has the layout that is written by hand, and decodes to what it was made of", async (t) => {
  fc.assert(
    fc.property(epoch, place, (epoch, place) => {
      const locator = encodeLocator(epoch, place);
      assert.deepEqual(locator, naiveLocator(epoch, place));
      assert.equal(locatorEpoch(locator), epoch);
      assert.deepEqual(decodePlace(locatorPlace(locator)), place);
      assert.ok(locator.length <= LOCATOR_BYTES_MAX);
    }),
    { numRuns },
  );
  t.pass(`${numRuns} locators`);
});

t.test("the deepest place fits the limit exactly; a tree that is deeper is refused", async (t) => {
  const deep = { rootId: new Uint8Array(8).fill(1), coordinates: new Array<number>(TREE_DEPTH_MAX).fill(9) };
  const locator = encodeLocator(EPOCH_MAX, [deep, deep, deep]);
  t.equal(locator.length, LOCATOR_BYTES_MAX);
  t.equal(locatorPlace(locator).length, PLACE_BYTES_MAX);
  const deeper = naiveLocator(1, [
    { ...deep, coordinates: new Array<number>(TREE_DEPTH_MAX + 1).fill(0) },
    undefined,
    undefined,
  ]);
  t.equal(decodePlace(locatorPlace(deeper)), undefined);
});

t.test("garbage never throws, and what decodes is the one encoding of what it decodes to", async (t) => {
  let decoded = 0;
  const canonical = (bytes: Uint8Array): void => {
    const place = decodePlace(bytes);
    if (place === undefined) return;
    decoded++;
    assert.deepEqual(locatorPlace(encodeLocator(0, place)), bytes);
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), canonical), { numRuns });
  fc.assert(
    fc.property(place, mutation, (place, change) => canonical(mutate(locatorPlace(encodeLocator(0, place)), change))),
    { numRuns },
  );
  t.ok(decoded > 0, `${decoded} decoded`);
});

t.test("a place is refused when cut at any byte, with a byte more, and with ports below no root", async (t) => {
  const one = { rootId: new Uint8Array(8).fill(1), coordinates: [1, 2] };
  const whole = locatorPlace(encodeLocator(7, [one, undefined, one]));
  for (let size = 0; size < whole.length; size++) t.equal(decodePlace(whole.subarray(0, size)), undefined);
  t.equal(decodePlace(concatBytes(whole, Uint8Array.of(0))), undefined);
  const rootless = naiveLocator(7, [{ ...one, rootId: new Uint8Array(8) }, undefined, undefined]);
  t.equal(decodePlace(locatorPlace(rootless)), undefined);
});

t.test("the distance in a tree is that of the naive walk up to the common ancestor and down", async (t) => {
  const few = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 8 });
  fc.assert(
    fc.property(few, few, few, (a, b, c) => {
      let [up, rest] = [0, a];
      while (b.slice(0, rest.length).join() !== rest.join()) [up, rest] = [up + 1, rest.slice(0, -1)];
      assert.equal(treeDistance(a, b), up + b.length - rest.length);
      assert.equal(treeDistance(a, b), treeDistance(b, a));
      assert.ok(treeDistance(a, c) <= treeDistance(a, b) + treeDistance(b, c));
    }),
    { numRuns },
  );
  t.equal(treeDistance([], []), 0);
});
