import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import nacl from "tweetnacl";
import { forge, forgeries, L, withSPlus } from "./forge.js";
import { anyBytes, bothSets, crossed, flipped, hex, native, portable, text } from "./support.js";

const seed = new Uint8Array(32).fill(7);
const identity = native.identityFromSeed(seed);
const message = text("the message");
const signature = native.sign(message, identity);
/** A dishonest signer's scalars. */
const secret = 1_234_567n;
const r = 7_654_321n;

const verdicts = (message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean[] =>
  bothSets.map((crypto) => crypto.verify(message, signature, publicKey));
const REFUSED = [false, false];
const TAKEN = [true, true];

t.test("both sets sign as RFC 8032 7.1 has it", async (t) => {
  const known = [
    {
      seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      message: "",
      signature:
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    },
    {
      seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      message: "72",
      signature:
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    },
  ];
  for (const crypto of bothSets)
    for (const { seed, publicKey, message, signature } of known) {
      const identity = crypto.identityFromSeed(hex(seed));
      t.same(identity.publicKey, hex(publicKey), crypto.name);
      t.same(crypto.sign(hex(message), identity), hex(signature), crypto.name);
    }
});

t.test("both sets make the same identity of a seed, and the same signature", async () => {
  fc.assert(
    fc.property(anyBytes(32), fc.uint8Array({ maxLength: 300 }), (seed, message) => {
      const [a, b] = [portable.identityFromSeed(seed), native.identityFromSeed(seed)];
      assert.deepEqual(a, b);
      assert.deepEqual(portable.sign(message, a), native.sign(message, b));
    }),
    { numRuns: 20 },
  );
});

t.test("a signature by one set is taken by the other, and by both no more with any bit flipped", async () => {
  const input = fc.record({
    seed: anyBytes(32),
    message: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    bit: fc.nat({ max: 8 * 64 - 1 }),
  });
  fc.assert(
    fc.property(input, fc.constantFrom(...crossed), ({ seed, message, bit }, { maker, checker }) => {
      const identity = maker.identityFromSeed(seed);
      const signature = maker.sign(message, identity);
      assert.ok(checker.verify(message, signature, identity.publicKey));
      assert.deepEqual(verdicts(message, flipped(signature, bit), identity.publicKey), REFUSED, "signature");
      assert.deepEqual(verdicts(message, signature, flipped(identity.publicKey, bit % 256)), REFUSED, "public key");
      assert.deepEqual(
        verdicts(flipped(message, bit % (8 * message.length)), signature, identity.publicKey),
        REFUSED,
        "message",
      );
    }),
    { numRuns: 20 },
  );
});

t.test("random bytes are no signature, and both sets say so without an exception", async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), anyBytes(64), anyBytes(32), (message, signature, publicKey) => {
      assert.deepEqual(verdicts(message, signature, publicKey), REFUSED);
    }),
    { numRuns: 100 },
  );
});

t.test("a signature or key of a wrong size is refused by both sets", async (t) => {
  t.same(verdicts(message, signature, identity.publicKey), TAKEN);
  for (const size of [0, 1, 32, 63])
    t.same(verdicts(message, signature.subarray(0, size), identity.publicKey), REFUSED, `signature of ${size}`);
  t.same(verdicts(message, Uint8Array.from([...signature, 0]), identity.publicKey), REFUSED, "signature of 65");
  for (const size of [0, 31])
    t.same(verdicts(message, signature, identity.publicKey.subarray(0, size)), REFUSED, `key of ${size}`);
  t.same(verdicts(message, signature, Uint8Array.from([...identity.publicKey, 0])), REFUSED, "key of 33");
});

t.test("S + L in place of S is refused by both sets, for every multiple that fits", async (t) => {
  for (let times = 1n; times <= 15n; times++)
    t.same(verdicts(message, withSPlus(signature, times * L), identity.publicKey), REFUSED, `S + ${times} L`);
});

t.test("a key of small order is refused by both sets, though it signs any message", async (t) => {
  const attacks = forgeries(message, 0n, r).filter(({ exact }) => exact);
  t.ok(attacks.length > 1);
  for (const { signature, publicKey } of attacks) {
    t.ok(nacl.sign.detached.verify(message, signature, publicKey), "tweetnacl alone takes it");
    t.same(verdicts(message, signature, publicKey), REFUSED);
  }
});

t.test("a key of small order in an encoding that is not canonical is refused by both sets", async (t) => {
  const encodings = [
    { keyTorsion: 0, publicKey: hex("0100000000000000000000000000000000000000000000000000000000000080") },
    { keyTorsion: 0, publicKey: hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f") },
    { keyTorsion: 0, publicKey: hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff") },
    { keyTorsion: 4, publicKey: hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff") },
    { keyTorsion: 2, publicKey: hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f") },
    { keyTorsion: 2, publicKey: hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff") },
  ];
  for (const encoding of encodings) {
    const takenByTweetnacl = Array.from({ length: 40 }, (_, i) => BigInt(i))
      .map((i) => forge(message, { secret: 0n, r: r + i, rTorsion: 0, ...encoding }))
      .find(({ signature, publicKey }) => nacl.sign.detached.verify(message, signature, publicKey));
    t.ok(takenByTweetnacl, "tweetnacl alone takes one in four or more");
    t.same(verdicts(message, takenByTweetnacl!.signature, takenByTweetnacl!.publicKey), REFUSED);
  }
});

t.test("an R of small order is refused by both sets, though the signer's equation holds", async (t) => {
  const attacks = forgeries(message, secret, 0n).filter(({ exact }) => exact);
  t.ok(attacks.length > 1);
  for (const { signature, publicKey } of attacks) {
    t.ok(nacl.sign.detached.verify(message, signature, publicKey), "tweetnacl alone takes it");
    t.same(verdicts(message, signature, publicKey), REFUSED);
  }
});

t.test("a key or R with y of p or more is refused by both sets", async (t) => {
  for (let low = 0xed; low <= 0xff; low++)
    for (const top of [0x7f, 0xff]) {
      const y = new Uint8Array(32).fill(0xff).fill(low, 0, 1).fill(top, 31);
      t.same(verdicts(message, signature, y), REFUSED, "as key");
      t.same(
        verdicts(message, Uint8Array.from([...y, ...signature.subarray(32)]), identity.publicKey),
        REFUSED,
        "as R",
      );
    }
});

t.test("both sets take a signature with parts of small order only where it holds without the cofactor", async (t) => {
  // Libraries that multiply by the cofactor take all of these: with one of them, a dishonest signer could split the mesh.
  const attacks = forgeries(message, secret, r);
  for (const { signature, publicKey, exact } of attacks)
    t.same(verdicts(message, signature, publicKey), [exact, exact]);
  const exactCount = attacks.filter(({ exact }) => exact).length;
  t.ok(exactCount > 1 && exactCount < attacks.length);
});

t.test("a seed of a wrong size is our own error", async (t) => {
  for (const crypto of bothSets) {
    t.throws(() => crypto.identityFromSeed(new Uint8Array(31)), new RangeError("the seed has 31 bytes, expected 32"));
    t.throws(() => crypto.sign(message, { ...identity, seed: new Uint8Array(64) }), { name: "RangeError" });
  }
});
