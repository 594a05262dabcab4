import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { CloseCode } from "../../src/wire/codes.js";
import { isData } from "../../src/wire/data.js";
import { kindOf } from "../../src/wire/kinds.js";
import { isProbe } from "../../src/wire/probe.js";
import { DATA, dataValues, encodeFixed, PROBE, probeValues } from "../wire/fixed.js";
import { LAYOUTS } from "../wire/layouts.js";
import { messageLike, mutate, mutation } from "../wire/mutate.js";
import { valuesOf } from "../wire/shapes.js";
import { fuzzRuns } from "./runs.js";

const numRuns = fuzzRuns(1_000);
const layouts = Object.values(LAYOUTS);

/** Every decoder on one message: each refuses it with a code, or takes it as the one encoding of what it says. */
function decodeByAll(message: Uint8Array): void {
  const received = message.slice();
  const takers: number[] = [];
  for (const layout of layouts) {
    const values = layout.decode(message);
    if (typeof values === "number") {
      assert.ok(values === CloseCode.MALFORMED || values === CloseCode.NON_CANONICAL);
      continue;
    }
    takers.push(layout.kind);
    assert.deepEqual(layout.encode(values), message);
  }
  if (isData(message)) takers.push(DATA.kind);
  if (isProbe(message)) takers.push(PROBE.kind);
  assert.ok(takers.length <= 1, "a message is of one kind at most");
  for (const kind of takers) assert.equal(kindOf(message), kind, "and its kind is in its second byte");
  assert.deepEqual(message, received, "looking changes nothing");
}

t.test("random bytes pass every decoder without an exception", async (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodeByAll), { numRuns });
  fc.assert(fc.property(messageLike, decodeByAll), { numRuns });
  t.pass(`${2 * numRuns} messages`);
});

t.test("damaged frames of every kind are refused with a code, or are the one encoding of what they say", async (t) => {
  const good = fc.oneof(
    ...layouts.map((layout) => valuesOf(layout).map((values) => layout.encode(values))),
    dataValues.map((values) => encodeFixed(DATA, values)),
    probeValues.map((values) => encodeFixed(PROBE, values)),
  );
  fc.assert(
    fc.property(good, mutation, (frame, change) => decodeByAll(mutate(frame, change))),
    { numRuns: 4 * numRuns },
  );
  t.pass(`${4 * numRuns} frames`);
});
