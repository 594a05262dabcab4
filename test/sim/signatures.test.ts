import t from "tap";
import { KnownSignatures, quickName } from "../../sim/signatures.js";
import type { Crypto } from "../../src/crypto/crypto.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";

const native = nativeCrypto();
const identity = native.identityFromSeed(new Uint8Array(32).fill(1));
const [one, other] = [Uint8Array.of(1), Uint8Array.of(2)];

/** The native set, and how often it was asked. */
function counted(max: number): { known: KnownSignatures; asked: () => number } {
  let asked = 0;
  const verify: Crypto["verify"] = (...question) => {
    asked++;
    return native.verify(...question);
  };
  const real = new Proxy(native, { get: (target, name) => (name === "verify" ? verify : bound(target, name)) });
  return { known: new KnownSignatures(real, max), asked: () => asked };
}

const bound = (target: Crypto, name: string | symbol) => {
  const value = target[name as keyof Crypto];
  return typeof value === "function" ? value.bind(target) : value;
};

t.test("a signature that was made here is taken without being checked, and is a real one", async (t) => {
  const { known, asked } = counted(8);
  const signature = known.sign(one, identity);
  t.ok(known.verify(one, signature, identity.publicKey));
  t.equal(asked(), 0);
  t.ok(native.verify(one, signature, identity.publicKey));
});

t.test("every other one is checked: of another message, with a flipped bit, and an old one", async (t) => {
  const { known, asked } = counted(1);
  const signature = known.sign(one, identity);
  t.notOk(known.verify(other, signature, identity.publicKey));
  for (let bit = 0; bit < 512; bit++) {
    const wrong = signature.slice();
    wrong[bit >>> 3]! ^= 1 << (bit & 7);
    t.notOk(known.verify(one, wrong, identity.publicKey));
  }
  known.sign(other, identity);
  t.ok(known.verify(one, signature, identity.publicKey));
  t.equal(asked(), 514);
});

t.test("no two of many near questions have one name", async (t) => {
  const names = new Set<string>();
  const bytes = new Uint8Array(40);
  for (let at = 0; at < 40; at++)
    for (let value = 1; value < 256; value++) {
      bytes[at] = value;
      names.add(quickName(identity.publicKey, bytes));
      bytes[at] = 0;
    }
  for (let low = 0; low < 256; low++)
    for (let high = 1; high < 256; high++) names.add(quickName(Uint8Array.of(low, high)));
  t.equal(names.size, 40 * 255 + 256 * 255);
});
