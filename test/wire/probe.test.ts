import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { LOCATOR_BYTES_MAX, PROBE_REPLY_FACTOR_MAX, PROBE_SLOTS, ROUTE_HOPS_MAX } from "../../src/wire/limits.js";
import { encodeLocator, locatorPlace } from "../../src/wire/locator.js";
import {
  ANYONE,
  editProbeKey,
  editProbeNearest,
  editProbeStep,
  encodeProbe,
  isProbe,
  NEAREST_NONE,
  PROBE_REPLY,
  ProbeMode,
  probeBytes,
  probeDepth,
  probeDetour,
  probeDown,
  probeHops,
  probeIndex,
  probeLength,
  probeMask,
  probeMode,
  probeNearest,
  probeNonce,
  probePlace,
  probeRouteBack,
  probeRouteForward,
  probeRoutePort,
  probeTarget,
  probeTree,
} from "../../src/wire/probe.js";
import { fuzzRuns } from "../fuzz/runs.js";
import { decodeFixed, encodeFixed, type FixedValues, PROBE, portBytes, portNumbers, probeValues } from "./fixed.js";
import { mutate, mutation } from "./mutate.js";
import { extremeValues } from "./shapes.js";
import { walk } from "./walk.js";

const numRuns = fuzzRuns(200);
const port = fc.integer({ min: 0, max: 0xffff });
const nonce = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const target = new Uint8Array(32).fill(0x42);
const somewhere = locatorPlace(encodeLocator(1, [{ rootId: nonce, coordinates: [3, 1] }, undefined, undefined]));

/** A new probe as the general encoder writes it. */
function naiveProbe(values: FixedValues, route: readonly number[] = []): Uint8Array {
  const record = new Uint8Array(4 * PROBE_SLOTS);
  for (const [i, egress] of route.entries()) record.set(portBytes([egress]), 4 * i + 2);
  const zero = { hops: 0, bits: 0, tree: 0, mask: 0, depth: 255, index: 0, length: 0, nearest: 0 };
  return encodeFixed(PROBE, { ...zero, nonce, key: target, record, place: new Uint8Array(0), ...values });
}

t.test("a new probe of each mode is what the general encoder writes", async (t) => {
  const { SOURCE, KEY, TREE } = ProbeMode;
  t.same(encodeProbe(SOURCE, nonce, target, { route: [5, 6, 7] }), naiveProbe({ length: 3 }, [5, 6, 7]));
  t.same(encodeProbe(SOURCE, nonce, ANYONE, { route: [5] }), naiveProbe({ length: 1, key: new Uint8Array(32) }, [5]));
  t.same(encodeProbe(KEY, nonce, target, { tree: 2, mask: 3 }), naiveProbe({ bits: 1, tree: 2, mask: 3 }));
  t.same(
    encodeProbe(TREE, nonce, target, { place: somewhere }),
    naiveProbe({ bits: 2, nearest: NEAREST_NONE, place: somewhere }),
  );
  t.equal(encodeProbe(TREE, nonce, target, { place: somewhere }).length, probeBytes(somewhere.length));
  const longest = Array.from({ length: ROUTE_HOPS_MAX }, (_, i) => 60_000 + i);
  t.same(encodeProbe(SOURCE, nonce, target, { route: longest }), naiveProbe({ length: 127 }, longest));
  t.ok(isProbe(encodeProbe(SOURCE, nonce, target, { route: longest })));
});

t.test("every reader gives what the general decoder gives", async (t) => {
  fc.assert(
    fc.property(probeValues, (values) => {
      const frame = encodeFixed(PROBE, values);
      assert.ok(isProbe(frame));
      assert.deepEqual(
        {
          hops: probeHops(frame),
          bits: probeMode(frame) + (probeDown(frame) ? 4 : 0) + (probeDetour(frame) ? 8 : 0),
          tree: probeTree(frame),
          mask: probeMask(frame),
          depth: probeDepth(frame),
          index: probeIndex(frame),
          length: probeLength(frame),
          nearest: probeNearest(frame),
          nonce: probeNonce(frame),
          key: probeTarget(frame),
          record: values["record"],
          place: probePlace(frame),
        },
        values,
      );
      const record = portNumbers(values["record"] as Uint8Array);
      for (let i = 0; i < PROBE_SLOTS; i++) assert.equal(probeRoutePort(frame, i), record[2 * i + 1]);
    }),
    { numRuns },
  );
  t.pass(`${numRuns} probes`);
});

t.test("a step in place gives the bytes of decode, change, encode, and is refused where no slot is left", async (t) => {
  let refused = 0;
  fc.assert(
    fc.property(probeValues, port, port, (values, ingress, egress) => {
      const frame = encodeFixed(PROBE, values);
      const index = Number(values["index"]);
      if (index === PROBE_SLOTS - 1) {
        refused++;
        assert.equal(editProbeStep(frame, ingress, egress), false);
        assert.deepEqual(frame, encodeFixed(PROBE, values));
        return;
      }
      assert.equal(editProbeStep(frame, ingress, egress), true);
      const record = portNumbers(values["record"] as Uint8Array)
        .with(2 * index, ingress)
        .with(2 * index + 1, egress);
      const hops = (Number(values["hops"]) + 1) % 256;
      assert.deepEqual(frame, encodeFixed(PROBE, { ...values, hops, index: index + 1, record: portBytes(record) }));
    }),
    { numRuns, examples: [[{ ...decodeFixed(PROBE, naiveProbe({ bits: 1 }))!, index: 127 }, 1, 2]] },
  );
  t.ok(refused > 0);
});

t.test("the edits of KEY and TREE mode give the bytes of decode, change, encode", async (t) => {
  fc.assert(
    fc.property(probeValues, port, port, (values, a, b) => {
      const byKey = encodeFixed(PROBE, values);
      editProbeKey(byKey, a % 3, b % 8, a % 2 === 1, b >>> 8);
      const bits = 1 + (a % 2 === 1 ? 4 : 0);
      const edited = { bits, tree: a % 3, mask: b % 8, depth: b >>> 8, length: 0 };
      assert.deepEqual(byKey, encodeFixed(PROBE, { ...values, ...edited }));
      const nearer = encodeFixed(PROBE, values);
      editProbeNearest(nearer, a);
      assert.deepEqual(nearer, encodeFixed(PROBE, { ...values, nearest: a }));
    }),
    { numRuns },
  );
  t.pass(`${numRuns} probes`);
});

t.test("a TREE probe that goes on by KEY keeps its place and is a probe still", async (t) => {
  const frame = encodeProbe(ProbeMode.TREE, nonce, target, { place: somewhere });
  editProbeStep(frame, 0, 4);
  editProbeKey(frame, 1, 0, false, 255);
  t.ok(isProbe(frame));
  t.equal(probeMode(frame), ProbeMode.KEY);
  t.same(probePlace(frame), somewhere);
});

t.test("a probe is taken exactly where the general decoder finds the layout; damaged ones never throw", async (t) => {
  let taken = 0;
  const agree = (frame: Uint8Array): void => {
    const verdict = isProbe(frame);
    if (verdict) taken++;
    assert.equal(verdict, decodeFixed(PROBE, frame) !== undefined);
  };
  fc.assert(
    fc.property(probeValues, mutation, (values, change) => agree(mutate(encodeFixed(PROBE, values), change))),
    { numRuns: 4 * numRuns },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 700, size: "max" }), agree), { numRuns });
  t.ok(taken > 0, `${taken} of the damaged probes still have the layout`);
});

t.test(
  "each byte outside the record in each value: taken exactly where the general decoder finds the layout",
  async (t) => {
    for (const good of [
      encodeProbe(ProbeMode.SOURCE, nonce, target, { route: [5, 6] }),
      encodeProbe(ProbeMode.KEY, nonce, target, { tree: 1 }),
      encodeProbe(ProbeMode.TREE, nonce, target, { place: somewhere }),
    ]) {
      for (let at = 0; at < good.length; at++) {
        if (at >= 66 && at < 578) continue;
        for (let value = 0; value < 256; value++) {
          const frame = good.with(at, value);
          if (isProbe(frame) !== (decodeFixed(PROBE, frame) !== undefined)) t.fail(`byte ${at} as ${value}`);
        }
      }
      for (let size = 0; size < good.length; size++) {
        if (isProbe(good.subarray(0, size))) t.fail(`cut to ${size} bytes`);
      }
    }
    t.pass("all alike");
  },
);

t.test("a probe's record leads from its sender to where it is, and back", async (t) => {
  fc.assert(
    fc.property(walk(ROUTE_HOPS_MAX), fc.boolean(), ({ network, start, route }, bySource) => {
      const frame = bySource
        ? encodeProbe(ProbeMode.SOURCE, nonce, target, { route })
        : encodeProbe(ProbeMode.KEY, nonce, target, { tree: 0 });
      let at = { node: start, ingress: 0 };
      for (const [i, port] of route.entries()) {
        const egress = bySource ? probeRoutePort(frame, probeIndex(frame)) : port;
        assert.ok(editProbeStep(frame, at.ingress, egress));
        at = network.cross(at.node, egress);
        assert.equal(network.follow(start, [...probeRouteForward(frame)]), at.node);
        assert.equal(network.follow(at.node, [...probeRouteBack(frame, at.ingress)]), start);
        assert.equal(probeHops(frame), i + 1);
      }
      assert.deepEqual([...probeRouteForward(frame)], route);
    }),
    { numRuns: fuzzRuns(60) },
  );
  t.pass("every node of every walk finds back");
});

t.test("the largest reply is less than three times the smallest probe", async (t) => {
  const smallest = encodeProbe(ProbeMode.KEY, nonce, target, { tree: 0 }).length;
  const largest = PROBE_REPLY.encode(extremeValues(PROBE_REPLY, "largest") as Parameters<typeof PROBE_REPLY.encode>[0]);
  t.ok(largest.length > LOCATOR_BYTES_MAX);
  t.ok(largest.length <= PROBE_REPLY_FACTOR_MAX * smallest, `${largest.length} to ${smallest} bytes`);
});
