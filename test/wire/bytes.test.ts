import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import {
  compareBytes,
  concatBytes,
  equalBytes,
  fromHex,
  readUint16,
  readUint48,
  toHex,
  uint16,
  uint48,
  utf8,
  writeUint16,
  writeUint48,
} from "../../src/wire/bytes.js";
import { EPOCH_MAX } from "../../src/wire/limits.js";

const bytes = fc.uint8Array({ maxLength: 40 });

t.test("equalBytes, compareBytes and concatBytes agree with Buffer", async (t) => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(equalBytes(a, b), Buffer.from(a).equals(b));
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(a, b));
      assert.deepEqual(concatBytes(a, b, a), Uint8Array.from(Buffer.concat([a, b, a])));
    }),
  );
  fc.assert(
    fc.property(bytes, (a) => {
      assert.ok(equalBytes(a, a.slice()));
      assert.equal(compareBytes(a, a.slice()), 0);
    }),
  );
  t.equal(concatBytes().length, 0);
});

t.test("numbers are big-endian, and stay inside their bytes", async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0, max: 4 }), (value, at) => {
      const buffer = Buffer.alloc(8, 0xee);
      const ours = Uint8Array.from(buffer);
      buffer.writeUInt16BE(value, at);
      writeUint16(ours, at, value);
      assert.deepEqual(ours, Uint8Array.from(buffer));
      assert.equal(readUint16(ours, at), value);
      assert.deepEqual(uint16(value), ours.slice(at, at + 2));
    }),
  );
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.integer({ min: 0, max: 2 }), (number, at) => {
      const value = Math.abs(number) % (EPOCH_MAX + 1);
      const buffer = Buffer.alloc(8, 0xee);
      const ours = Uint8Array.from(buffer);
      buffer.writeUIntBE(value, at, 6);
      writeUint48(ours, at, value);
      assert.deepEqual(ours, Uint8Array.from(buffer));
      assert.equal(readUint48(ours, at), value);
      assert.deepEqual(uint48(value), ours.slice(at, at + 6));
    }),
  );
  t.equal(readUint48(uint48(EPOCH_MAX), 0), EPOCH_MAX);
});

t.test("hex is read in both cases and written in lower; what is not hex is undefined", async (t) => {
  fc.assert(
    fc.property(bytes, (a) => {
      assert.equal(toHex(a), Buffer.from(a).toString("hex"));
      assert.deepEqual(fromHex(toHex(a)), a);
      assert.deepEqual(fromHex(toHex(a).toUpperCase()), a);
    }),
  );
  for (const text of ["0", "0g", "abc", " 00", "00 ", "0x00", "００", "-1", "+1", "1e1 "]) {
    t.equal(fromHex(text), undefined, JSON.stringify(text));
  }
  t.same(fromHex(""), new Uint8Array(0));
});

t.test("utf8 gives what TextEncoder gives, for every code point", async (t) => {
  const encoder = new TextEncoder();
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => assert.deepEqual(utf8(text), encoder.encode(text))));
  for (const text of ["", "a%20b", "é", "€", "𝄞", "\0"]) t.same(utf8(text), encoder.encode(text), JSON.stringify(text));
});
