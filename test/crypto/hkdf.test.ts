import assert from "node:assert/strict";
import { createHash, createHmac, hkdfSync } from "node:crypto";
import fc from "fast-check";
import t from "tap";
import { hkdf, hmac } from "../../src/crypto/hkdf.js";
import { bothSets, hex, text } from "./support.js";

const anyKey = fc.uint8Array({ maxLength: 200 });
const anyData = fc.uint8Array({ maxLength: 300 });

t.test("the hash is SHA-512", async () => {
  fc.assert(
    fc.property(anyData, fc.constantFrom(...bothSets), (data, crypto) => {
      assert.deepEqual(crypto.hash(data), Uint8Array.from(createHash("sha512").update(data).digest()));
    }),
  );
});

t.test("HMAC-SHA512 gives the known answer of RFC 4231, test case 2", async (t) => {
  const expected =
    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
  for (const crypto of bothSets)
    t.same(hmac(crypto, text("Jefe"), text("what do ya want for nothing?")), hex(expected));
});

t.test("HMAC-SHA512 takes keys shorter and longer than a block", async () => {
  fc.assert(
    fc.property(anyKey, anyData, fc.constantFrom(...bothSets), (key, data, crypto) => {
      assert.deepEqual(hmac(crypto, key, data), Uint8Array.from(createHmac("sha512", key).update(data).digest()));
    }),
  );
});

t.test("Noise's HKDF is RFC 5869 without info, with two outputs and with three", async () => {
  const anyOutputs = fc.constantFrom<2 | 3>(2, 3);
  fc.assert(
    fc.property(anyKey, anyData, anyOutputs, fc.constantFrom(...bothSets), (salt, input, outputs, crypto) => {
      const results = hkdf(crypto, salt, input, outputs);
      assert.equal(results.length, outputs);
      assert.deepEqual(Buffer.concat(results), Buffer.from(hkdfSync("sha512", input, salt, "", 64 * outputs)));
    }),
  );
});
