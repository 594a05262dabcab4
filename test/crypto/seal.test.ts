import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { anyBytes, bothSets, crossed, flipped } from "./support.js";

const input = fc.record({
  key: anyBytes(32),
  nonce: anyBytes(12),
  ad: fc.uint8Array({ maxLength: 40 }),
  plaintext: fc.uint8Array({ maxLength: 2_000 }),
});

const key = new Uint8Array(32);
const nonce = new Uint8Array(12);
const ad = new Uint8Array(0);

t.test("what one set seals the other opens, wherever the bytes lie in their buffers", async () => {
  fc.assert(
    fc.property(input, fc.nat({ max: 7 }), fc.constantFrom(...crossed), (input, offset, { maker, checker }) => {
      const { key, nonce, ad, plaintext } = input;
      const frame = new Uint8Array(offset + plaintext.length + 16 + 5).fill(0xaa);
      const sealed = frame.subarray(offset, offset + plaintext.length + 16);
      maker.seal(key, nonce, ad, plaintext, sealed);
      const opened = new Uint8Array(offset + plaintext.length).subarray(offset);
      assert.ok(checker.open(key, nonce, ad, sealed, opened));
      assert.deepEqual(opened, plaintext);
      assert.ok(checker.open(key, nonce, ad, sealed, sealed.subarray(0, plaintext.length)), "in place");
      assert.deepEqual(sealed.subarray(0, plaintext.length), plaintext);
      assert.ok(frame.subarray(0, offset).every((byte) => byte === 0xaa));
      assert.ok(frame.subarray(offset + sealed.length).every((byte) => byte === 0xaa));
    }),
    { numRuns: 100 },
  );
});

t.test("what is large, and sealed by other code, is the same to both sets", async (t) => {
  for (const sizeBytes of [16_383, 16_384, 16_385, 61_411]) {
    const plaintext = Uint8Array.from({ length: sizeBytes }, (_, i) => i * 7);
    for (const { maker, checker } of crossed) {
      const sealed = new Uint8Array(sizeBytes + 16);
      maker.seal(key, nonce, ad, plaintext, sealed);
      const inPlace = sealed.slice();
      const isOpened = checker.open(key, nonce, ad, inPlace, inPlace.subarray(0, sizeBytes));
      const names = `${maker.name} to ${checker.name}, ${sizeBytes} bytes`;
      t.ok(isOpened && Buffer.compare(inPlace.subarray(0, sizeBytes), plaintext) === 0, names);
      for (const bit of [0, 8 * sizeBytes - 1, 8 * sizeBytes, 8 * sizeBytes + 127]) {
        const changed = flipped(sealed, bit);
        t.notOk(checker.open(key, nonce, ad, changed, changed.subarray(0, sizeBytes)), `bit ${bit}`);
      }
    }
  }
});

t.test("a change of any bit of ciphertext, key, nonce or associated data is refused by both sets", async () => {
  fc.assert(
    fc.property(input, fc.nat(), fc.constantFrom(...crossed), ({ key, nonce, ad, plaintext }, bit, { maker }) => {
      const sealed = new Uint8Array(plaintext.length + 16);
      maker.seal(key, nonce, ad, plaintext, sealed);
      const flip = (bytes: Uint8Array) => flipped(bytes, bit % (8 * bytes.length));
      const out = new Uint8Array(plaintext.length);
      for (const crypto of bothSets) {
        assert.ok(!crypto.open(key, nonce, ad, flip(sealed), out), "ciphertext");
        assert.ok(!crypto.open(flip(key), nonce, ad, sealed, out), "key");
        assert.ok(!crypto.open(key, flip(nonce), ad, sealed, out), "nonce");
        assert.ok(!crypto.open(key, nonce, Uint8Array.from([...ad, 0]), sealed, out), "associated data");
        assert.ok(!crypto.open(key, nonce, ad, sealed.subarray(1), out.subarray(plaintext.length && 1)), "cut");
      }
    }),
    { numRuns: 50 },
  );
});

t.test("a ciphertext shorter than its tag, or of a false tag alone, is refused by both sets", async (t) => {
  for (const crypto of bothSets)
    for (const sizeBytes of [0, 1, 15, 16])
      t.notOk(crypto.open(key, nonce, ad, new Uint8Array(sizeBytes), new Uint8Array(0)), `${crypto.name} ${sizeBytes}`);
});

t.test("a key, nonce or output of a wrong size is our own error", async (t) => {
  const plaintext = new Uint8Array(10);
  const sealed = new Uint8Array(26);
  for (const crypto of bothSets) {
    const refusals = [
      [() => crypto.seal(key.subarray(1), nonce, ad, plaintext, sealed), "the key has 31 bytes, expected 32"],
      [() => crypto.seal(key, nonce.subarray(4), ad, plaintext, sealed), "the nonce has 8 bytes, expected 12"],
      [() => crypto.seal(key, nonce, ad, plaintext, sealed.subarray(1)), "the output has 25 bytes, expected 26"],
      [() => crypto.open(key.subarray(1), nonce, ad, sealed, plaintext), "the key has 31 bytes, expected 32"],
      [() => crypto.open(key, nonce.subarray(4), ad, sealed, plaintext), "the nonce has 8 bytes, expected 12"],
      [() => crypto.open(key, nonce, ad, sealed, sealed), "the output has 26 bytes, expected 10"],
    ] as const;
    for (const [call, text] of refusals) t.throws(call, new RangeError(text), crypto.name);
  }
});
