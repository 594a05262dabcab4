import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import {
  BIT_CONGESTION,
  BIT_DOWN,
  BIT_FELL_BACK,
  BIT_KEY,
  DEPTH_NONE,
  dataBits,
  dataDepth,
  dataDestination,
  dataHeaderBytes,
  dataHops,
  dataIndex,
  dataIsFor,
  dataMask,
  dataPayload,
  dataRouteBack,
  dataRouteId,
  dataRouteLength,
  dataRoutePort,
  dataTree,
  editCongestion,
  editFallBack,
  editHops,
  editKeyStep,
  editSourceStep,
  isData,
  writeDataHeader,
} from "../../src/wire/data.js";
import { FRAME_BYTES_MAX, PAYLOAD_BYTES_MAX, ROUTE_HOPS_MAX } from "../../src/wire/limits.js";
import { fuzzRuns } from "../fuzz/runs.js";
import { DATA, dataValues, decodeFixed, encodeFixed, type FixedValues, portBytes, portNumbers } from "./fixed.js";
import { mutate, mutation } from "./mutate.js";
import { walk } from "./walk.js";

const numRuns = fuzzRuns(300);
const port = fc.integer({ min: 0, max: 0xffff });

/** A frame as its sender writes it. */
function newFrame(route: readonly number[], routeId: Uint8Array, key: Uint8Array, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(dataHeaderBytes(route.length) + payload.length);
  frame.set(payload, dataHeaderBytes(route.length));
  writeDataHeader(frame, route, routeId, key);
  return frame;
}

const bits = (values: FixedValues): number => Number(values["bits"]);

t.test("a header written at the sender is what the general encoder writes", async (t) => {
  const routes = fc.array(port, { maxLength: ROUTE_HOPS_MAX });
  fc.assert(
    fc.property(routes, dataValues, (route, { routeId, key, payload }) => {
      const frame = newFrame(route, routeId as Uint8Array, key as Uint8Array, payload as Uint8Array);
      const zero = { hops: 0, tree: 0, mask: 0, index: 0, depth: DEPTH_NONE, bits: route.length === 0 ? BIT_KEY : 0 };
      assert.deepEqual(
        frame,
        encodeFixed(DATA, { ...zero, routeId: routeId!, key: key!, route: portBytes(route), payload: payload! }),
      );
      assert.ok(isData(frame));
    }),
    { numRuns },
  );
  t.pass(`${numRuns} headers`);
});

t.test("every reader gives what the general decoder gives", async (t) => {
  fc.assert(
    fc.property(dataValues, (values) => {
      const frame = encodeFixed(DATA, values);
      assert.ok(isData(frame));
      const route = portNumbers(values["route"] as Uint8Array);
      assert.deepEqual(
        {
          hops: dataHops(frame),
          bits: dataBits(frame),
          tree: dataTree(frame),
          mask: dataMask(frame),
          depth: dataDepth(frame),
          index: dataIndex(frame),
          routeId: dataRouteId(frame),
          key: dataDestination(frame),
          route: portBytes(route.map((_, i) => dataRoutePort(frame, i))),
          payload: dataPayload(frame),
        },
        values,
      );
      assert.equal(dataRouteLength(frame), route.length);
      assert.ok(dataIsFor(frame, values["key"] as Uint8Array));
      assert.ok(!dataIsFor(frame, (values["key"] as Uint8Array).with(31, ~dataDestination(frame)[31]!)));
    }),
    { numRuns },
  );
  t.pass(`${numRuns} frames`);
});

/** An edit in place, what it needs of a frame, and the same change on decoded values. */
interface Edit {
  readonly needs?: (values: FixedValues) => boolean;
  readonly inPlace: (frame: Uint8Array, a: number, b: number) => void;
  readonly naive: (values: FixedValues, a: number, b: number) => FixedValues;
}

const edits: Record<string, Edit> = {
  editHops: {
    needs: ({ hops }) => Number(hops) < 255,
    inPlace: (frame) => editHops(frame),
    naive: (values) => ({ ...values, hops: Number(values["hops"]) + 1 }),
  },
  editSourceStep: {
    needs: ({ index, route }) => 2 * Number(index) < (route as Uint8Array).length,
    inPlace: (frame, ingress) => editSourceStep(frame, ingress),
    naive: (values, ingress) => {
      const index = Number(values["index"]);
      const route = portNumbers(values["route"] as Uint8Array).with(index, ingress);
      return { ...values, index: index + 1, route: portBytes(route) };
    },
  },
  editFallBack: {
    inPlace: (frame) => editFallBack(frame),
    naive: (values) => ({
      ...values,
      bits: (bits(values) & BIT_CONGESTION) + BIT_KEY + BIT_FELL_BACK,
      tree: 0,
      mask: 0,
      depth: DEPTH_NONE,
    }),
  },
  editKeyStep: {
    inPlace: (frame, a, b) => editKeyStep(frame, a % 3, b % 8, a % 2 === 1, b >>> 8),
    naive: (values, a, b) => ({
      ...values,
      bits: bits(values) - (bits(values) & BIT_DOWN) + (a % 2 === 1 ? BIT_DOWN : 0),
      tree: a % 3,
      mask: b % 8,
      depth: b >>> 8,
    }),
  },
  editCongestion: {
    inPlace: (frame) => editCongestion(frame),
    naive: (values) => ({ ...values, bits: bits(values) - (bits(values) & BIT_CONGESTION) + BIT_CONGESTION }),
  },
};

for (const [name, edit] of Object.entries(edits)) {
  t.test(`${name} in place gives the bytes of decode, change, encode`, async (t) => {
    fc.assert(
      fc.property(dataValues, port, port, (values, a, b) => {
        fc.pre(edit.needs?.(values) ?? true);
        const frame = encodeFixed(DATA, values);
        edit.inPlace(frame, a, b);
        assert.deepEqual(frame, encodeFixed(DATA, edit.naive(values, a, b)));
        assert.ok(isData(frame));
      }),
      { numRuns },
    );
    t.pass(`${numRuns} frames`);
  });
}

t.test("a frame is taken exactly where the general decoder finds the layout; damaged ones never throw", async (t) => {
  let taken = 0;
  const agree = (frame: Uint8Array): void => {
    const verdict = isData(frame);
    if (verdict) taken++;
    assert.equal(verdict, decodeFixed(DATA, frame) !== undefined);
  };
  fc.assert(
    fc.property(dataValues, mutation, (values, change) => agree(mutate(encodeFixed(DATA, values), change))),
    { numRuns: 4 * numRuns },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), agree), { numRuns });
  t.ok(taken > 0, `${taken} of the damaged frames still have the layout`);
});

t.test("each byte of the header in each value: taken exactly where the general decoder finds the layout", async (t) => {
  const key = new Uint8Array(32).fill(7);
  const good = newFrame([1, 2, 3], new Uint8Array(8).fill(9), key, new Uint8Array(5));
  for (let at = 0; at < dataHeaderBytes(3); at++) {
    for (let value = 0; value < 256; value++) {
      const frame = good.with(at, value);
      if (isData(frame) !== (decodeFixed(DATA, frame) !== undefined)) t.fail(`byte ${at} as ${value}`);
    }
  }
  for (let size = 0; size < good.length; size++) {
    if (isData(good.subarray(0, size))) t.fail(`cut to ${size} bytes`);
  }
  t.pass("all alike");
});

t.test("the longest route and the largest payload fit the frame limit; one more of either is refused", async (t) => {
  const id = new Uint8Array(8);
  const key = new Uint8Array(32);
  const longest = Array.from({ length: ROUTE_HOPS_MAX }, (_, i) => i + 1);
  const largest = newFrame(longest, id, key, new Uint8Array(PAYLOAD_BYTES_MAX));
  t.ok(isData(largest));
  t.ok(largest.length <= FRAME_BYTES_MAX);
  t.notOk(isData(newFrame([...longest, 128], id, key, new Uint8Array(0))));
  const values = decodeFixed(DATA, newFrame([1, 2], id, key, id))!;
  t.notOk(isData(encodeFixed(DATA, { ...values, route: new Uint8Array(3) })), "half a port");
  t.notOk(isData(newFrame([], id, key, new Uint8Array(PAYLOAD_BYTES_MAX + 1))));
});

t.test("the ports that a frame was rewritten with lead from where it is back to its sender", async (t) => {
  fc.assert(
    fc.property(walk(ROUTE_HOPS_MAX), ({ network, start, route }) => {
      const frame = newFrame(route, new Uint8Array(8), new Uint8Array(32), new Uint8Array(0));
      let at = { node: start, ingress: 0 };
      for (let i = 0; i < route.length; i++) {
        const egress = dataRoutePort(frame, dataIndex(frame));
        editSourceStep(frame, at.ingress);
        at = network.cross(at.node, egress);
        const back = [...dataRouteBack(frame, at.ingress)];
        assert.equal(back.length, i + 1);
        assert.equal(network.follow(at.node, back), start);
      }
      assert.equal(at.node, network.follow(start, route));
    }),
    { numRuns: fuzzRuns(60) },
  );
  t.pass("every node of every walk finds back");
});

t.test("there is no way back from a frame that fell back, went by key, or was not sent yet", async (t) => {
  const frame = newFrame([1, 2], new Uint8Array(8), new Uint8Array(32), new Uint8Array(0));
  t.equal(dataRouteBack(frame, 5).length, 0);
  editSourceStep(frame, 0);
  t.same([...dataRouteBack(frame, 5)], [5]);
  editFallBack(frame);
  t.equal(dataRouteBack(frame, 5).length, 0);
  t.equal(dataRouteBack(newFrame([], new Uint8Array(8), new Uint8Array(32), new Uint8Array(0)), 5).length, 0);
});
