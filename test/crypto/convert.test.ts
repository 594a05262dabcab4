import assert from "node:assert/strict";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import t from "tap";
import { x25519FromEd25519, x25519SecretFromSeed } from "../../src/crypto/convert.js";
import { anyBytes, bothSets, crossed, flipped, hex, native, portable } from "./support.js";

t.test("a converted public key is the X25519 key of its identity, and both ends agree on one secret", async () => {
  fc.assert(
    fc.property(anyBytes(32), anyBytes(32), fc.constantFrom(...crossed), (seedA, seedB, { maker, checker }) => {
      const [a, b] = [maker.identityFromSeed(seedA), checker.identityFromSeed(seedB)];
      assert.deepEqual(a.x25519Secret, x25519SecretFromSeed(seedA));
      assert.deepEqual(x25519FromEd25519(a.publicKey), a.x25519Public);
      const secret = maker.x25519(a.x25519Secret, x25519FromEd25519(b.publicKey)!);
      assert.deepEqual(secret, checker.x25519(b.x25519Secret, x25519FromEd25519(a.publicKey)!));
      assert.equal(secret?.length, 32);
    }),
    { numRuns: 20 },
  );
});

t.test("a known public key converts to its known X25519 key", async (t) => {
  // RFC 8032 7.1, test 1, and what libsodium's crypto_sign_ed25519_pk_to_curve25519 makes of it.
  const publicKey = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const expected = hex("d85e07ec22b0ad881537c2f44d662d1a143cf830c57aca4305d85c7a90f6b62e");
  t.same(x25519FromEd25519(publicKey), expected);
});

t.test(
  "a public key that is no point, not canonical, of small order or of a wrong size is not converted",
  async (t) => {
    const good = native.identityFromSeed(new Uint8Array(32)).publicKey;
    t.equal(x25519FromEd25519(good)?.length, 32);
    for (const bad of [
      hex(""),
      good.subarray(1),
      Uint8Array.from([...good, 0]),
      new Uint8Array(32),
      hex("0100000000000000000000000000000000000000000000000000000000000000"),
      hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
      hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
      hex("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
      hex("0200000000000000000000000000000000000000000000000000000000000000"), // no x for y = 2
    ])
      t.equal(x25519FromEd25519(bad), undefined);
  },
);

t.test("any 32 bytes convert exactly where they are a canonical point not of small order", async () => {
  fc.assert(
    fc.property(anyBytes(32), (bytes) => {
      const point = attempt(() => ed25519.Point.fromBytes(bytes));
      assert.equal(x25519FromEd25519(bytes) !== undefined, point !== undefined && !point.isSmallOrder());
    }),
    { numRuns: 200 },
  );
});

t.test("an X25519 public key of small order or of a wrong size gives no secret, the top bit set or not", async (t) => {
  const secret = portable.identityFromSeed(new Uint8Array(32)).x25519Secret;
  const one = hex("0100000000000000000000000000000000000000000000000000000000000000");
  for (const crypto of bothSets) {
    t.equal(crypto.x25519(secret, one), undefined);
    t.equal(crypto.x25519(secret, flipped(one, 255)), undefined);
    t.equal(crypto.x25519(secret, new Uint8Array(31)), undefined);
    t.equal(crypto.x25519(secret, new Uint8Array(33)), undefined);
    t.throws(() => crypto.x25519(secret.subarray(1), one), new RangeError("the secret has 31 bytes, expected 32"));
    t.throws(() => crypto.x25519Public(secret.subarray(1)), { name: "RangeError" });
  }
});

function attempt<Result>(call: () => Result): Result | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}
