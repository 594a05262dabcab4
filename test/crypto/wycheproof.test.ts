import t from "tap";
import type { Crypto } from "../../src/crypto/crypto.js";
import { bothSets, hex, native, portable, wycheproof } from "./support.js";

const toHex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString("hex");

t.test("both sets verify Wycheproof's Ed25519 signatures as the file says", async (t) => {
  const { numberOfTests, testGroups } = wycheproof<{ publicKey: { pk: string } }, { msg: string; sig: string }>(
    "ed25519",
  );
  let seen = 0;
  for (const { publicKey, tests } of testGroups)
    for (const { tcId, comment, msg, sig, result } of tests) {
      const verdicts = bothSets.map((crypto) => crypto.verify(hex(msg), hex(sig), hex(publicKey.pk)));
      t.same(verdicts, [result === "valid", result === "valid"], `${tcId} ${comment}`);
      seen++;
    }
  t.equal(seen, numberOfTests);
});

t.test("both sets agree on Wycheproof's X25519 secrets and refuse the points of small order", async (t) => {
  const { numberOfTests, testGroups } = wycheproof<object, { public: string; private: string; shared: string }>(
    "x25519",
  );
  let seen = 0;
  let refused = 0;
  for (const { tests } of testGroups)
    for (const vector of tests) {
      const smallOrder = vector.flags.includes("ZeroSharedSecret");
      const expected = smallOrder ? undefined : vector.shared;
      const secrets = bothSets.map((crypto) => toHex(crypto.x25519(hex(vector.private), hex(vector.public))));
      t.same(secrets, [expected, expected], `${vector.tcId} ${vector.comment}`);
      seen++;
      if (smallOrder) refused++;
    }
  t.equal(seen, numberOfTests);
  t.equal(refused, 31);
});

t.test("both sets seal and open Wycheproof's ChaCha20-Poly1305 as the file says", async (t) => {
  interface Case {
    readonly key: string;
    readonly iv: string;
    readonly aad: string;
    readonly msg: string;
    readonly ct: string;
    readonly tag: string;
  }
  const seal = (crypto: Crypto, { key, iv, aad, msg }: Case): string | undefined => {
    const out = new Uint8Array(msg.length / 2 + 16);
    crypto.seal(hex(key), hex(iv), hex(aad), hex(msg), out);
    return toHex(out);
  };
  const open = (crypto: Crypto, { key, iv, aad, ct, tag }: Case): string | undefined => {
    const out = new Uint8Array(ct.length / 2);
    return crypto.open(hex(key), hex(iv), hex(aad), hex(ct + tag), out) ? toHex(out) : undefined;
  };
  const { numberOfTests, testGroups } = wycheproof<{ ivSize: number }, Case>("chacha20_poly1305");
  let seen = 0;
  for (const { ivSize, tests } of testGroups)
    for (const vector of tests) {
      const title = `${vector.tcId} ${vector.comment}`;
      seen++;
      if (ivSize !== 96) {
        // A nonce of another size cannot come from a peer: it is our own error.
        for (const crypto of bothSets) t.throws(() => seal(crypto, vector), { name: "RangeError" }, title);
        continue;
      }
      const opened = vector.result === "valid" ? vector.msg : undefined;
      t.same([open(portable, vector), open(native, vector)], [opened, opened], title);
      if (vector.result === "valid")
        for (const crypto of bothSets) t.equal(seal(crypto, vector), vector.ct + vector.tag, title);
    }
  t.equal(seen, numberOfTests);
});
