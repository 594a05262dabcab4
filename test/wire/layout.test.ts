import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { concatBytes } from "../../src/wire/bytes.js";
import { CloseCode } from "../../src/wire/codes.js";
import { Kind, kindOf } from "../../src/wire/kinds.js";
import { FRAME_BYTES_MAX, HELLO_BYTES_MAX } from "../../src/wire/limits.js";
import { arrayHeads, FOREIGN, forms } from "./forms.js";
import { type AnyLayout, HELLO_LAYOUTS, LAYOUTS, type Values } from "./layouts.js";
import { extremeValues, valuesOf, valuesOutside } from "./shapes.js";

const { MALFORMED, NON_CANONICAL } = CloseCode;
const layouts = Object.entries(LAYOUTS);

/** A small frame that has an element in each of its lists. */
function sample(layout: AnyLayout): Values {
  const most = extremeValues(layout, "largest");
  return Object.fromEntries(Object.entries(most).map(([name, v]) => [name, Array.isArray(v) ? v.slice(0, 1) : v]));
}

/** The elements of a message by hand, one of them already encoded. */
function byHand(layout: AnyLayout, values: Values, at = -1, encoded?: Uint8Array): Uint8Array {
  const elements = [layout.kind, ...Object.values(values)].map((value, i) => (i === at ? encoded! : forms(value)[0]!));
  return concatBytes(arrayHeads(elements.length)[0]!, ...elements);
}

t.test("every kind that is not edited in place has a layout under its own number", async (t) => {
  const named = Object.entries(Kind).filter(([name]) => name !== "DATA" && name !== "PROBE");
  t.same(
    layouts.map(([name, layout]) => [name, layout.kind]),
    named,
  );
});

for (const [name, layout] of layouts) {
  t.test(`${name}: decoding gives back what was encoded, byte for byte as written by hand`, async (t) => {
    fc.assert(
      fc.property(valuesOf(layout), (values) => {
        const message = layout.encode(values);
        assert.deepEqual(layout.decode(message), values);
        assert.deepEqual(message, byHand(layout, values));
        assert.equal(kindOf(message), layout.kind);
      }),
      { numRuns: 30 },
    );
    t.pass("30 random messages");
  });

  t.test(`${name}: the smallest and the largest frame decode and keep the size limit`, async (t) => {
    const limit = HELLO_LAYOUTS.includes(layout) ? HELLO_BYTES_MAX : FRAME_BYTES_MAX;
    for (const end of ["smallest", "largest"] as const) {
      const values = extremeValues(layout, end);
      const message = layout.encode(values);
      t.same(layout.decode(message), values, end);
      t.ok(message.length <= limit, `${end}: ${message.length} of ${limit} bytes`);
    }
  });

  t.test(`${name}: cut at any byte, or with a byte more, it is malformed`, async (t) => {
    const message = byHand(layout, sample(layout));
    for (let size = 0; size < message.length; size++) {
      if (layout.decode(message.subarray(0, size)) !== MALFORMED) t.fail(`cut to ${size} bytes`);
    }
    for (let extra = 0; extra < 256; extra++) {
      if (layout.decode(concatBytes(message, Uint8Array.of(extra))) !== MALFORMED) t.fail(`a byte ${extra} more`);
    }
    t.pass("all refused");
  });

  t.test(`${name}: another kind, one element less and one more are malformed`, async (t) => {
    const values = Object.values(sample(layout));
    for (let kind = 0; kind < 0x80; kind++) {
      if (kind === layout.kind) continue;
      if (layout.decode(forms([kind, ...values])[0]!) !== MALFORMED) t.fail(`kind ${kind}`);
    }
    t.equal(layout.decode(forms([layout.kind, ...values.slice(0, -1)])[0]!), MALFORMED);
    t.equal(layout.decode(forms([layout.kind, ...values, 0])[0]!), MALFORMED);
  });

  t.test(`${name}: each value just outside its shape is malformed`, async (t) => {
    const values = sample(layout);
    for (const [field, { shape }] of Object.entries(layout.fields)) {
      for (const outside of valuesOutside(shape)) {
        const message = byHand(layout, { ...values, [field]: outside });
        t.equal(layout.decode(message), MALFORMED, `${field}: ${shape}`);
      }
    }
  });

  t.test(`${name}: each longer form of a number, of a length and of a list is non-canonical`, async (t) => {
    const smallest = extremeValues(layout, "smallest");
    for (const values of [smallest, sample(layout)]) {
      for (const [i, value] of [layout.kind, ...Object.values(values)].entries()) {
        for (const longer of forms(value).slice(1)) {
          const list32 = longer[0] === 0xdd;
          t.equal(layout.decode(byHand(layout, values, i, longer)), list32 ? MALFORMED : NON_CANONICAL, `element ${i}`);
        }
      }
    }
  });

  t.test(`${name}: types that no frame has are malformed wherever they stand`, async (t) => {
    const values = sample(layout);
    for (const [type, encoded] of Object.entries(FOREIGN)) {
      for (const [i, value] of [layout.kind, ...Object.values(values)].entries()) {
        t.equal(layout.decode(byHand(layout, values, i, encoded)), MALFORMED, `${type} as element ${i}`);
        if (!Array.isArray(value)) continue;
        const list = concatBytes(Uint8Array.of(0x91), encoded);
        t.equal(layout.decode(byHand(layout, values, i, list)), MALFORMED, `${type} in list ${i}`);
      }
    }
  });
}

t.test("a message whose outer head is not an array of up to 15 elements is malformed", async (t) => {
  const ping = LAYOUTS["PING"]!;
  const body = byHand(ping, { token: 5 }).subarray(1);
  for (const head of arrayHeads(2).slice(1)) t.equal(ping.decode(concatBytes(head, body)), MALFORMED);
  for (const encoded of Object.values(FOREIGN)) t.equal(ping.decode(encoded), MALFORMED);
  t.equal(ping.decode(new Uint8Array(0)), MALFORMED);
  t.equal(ping.decode(concatBytes(Uint8Array.of(0xdc, 0, 16), new Uint8Array(16))), MALFORMED);
});

t.test("a length that lies is refused before anything is allocated for it", async (t) => {
  const lies = {
    "bin 32 of 4 GiB": [0xc6, 0xff, 0xff, 0xff, 0xff],
    "bin 32 of 1 GiB": [0xc6, 0x40, 0, 0, 0],
    "bin 16 of 64 KiB": [0xc5, 0xff, 0xff],
    "bin 8 of 255 bytes": [0xc4, 0xff],
    "array 32 of 4 G": [0xdd, 0xff, 0xff, 0xff, 0xff],
    "array 16 of 65,535": [0xdc, 0xff, 0xff],
    "array 16 of 256": [0xdc, 1, 0],
    "map 32 of 4 G": [0xdf, 0xff, 0xff, 0xff, 0xff],
    "str 32 of 4 GiB": [0xdb, 0xff, 0xff, 0xff, 0xff],
    "ext 32 of 4 GiB": [0xc9, 0xff, 0xff, 0xff, 0xff, 1],
  };
  const ping = LAYOUTS["PING"]!;
  const before = process.memoryUsage();
  for (const [name, lie] of Object.entries(lies)) {
    const messages = [[0x92, Kind.PING, ...lie], [0x92, ...lie], lie, [0x92, Kind.PING, ...lie, 0, 0, 0, 0]];
    for (const message of messages) {
      for (let i = 0; i < 100; i++) {
        if (ping.decode(Uint8Array.from(message)) !== MALFORMED) t.fail(name);
      }
    }
  }
  const after = process.memoryUsage();
  const grownBytes = after.arrayBuffers - before.arrayBuffers + Math.max(0, after.heapUsed - before.heapUsed);
  t.ok(grownBytes < 16 * 2 ** 20, `4,000 lies that claim terabytes: ${grownBytes} bytes`);
});
