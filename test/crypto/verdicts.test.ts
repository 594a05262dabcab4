import t from "tap";
import { QuestionKind, VerdictCache } from "../../src/crypto/verdicts.js";
import { flipped, native, text } from "./support.js";

const identity = native.identityFromSeed(new Uint8Array(32).fill(1));
const signed = (value: string) => {
  const message = text(value);
  return [message, native.sign(message, identity), identity.publicKey] as const;
};

t.test("a verdict is given once by the crypto and then from memory, true and false alike", async (t) => {
  const cache = new VerdictCache(native);
  const [message, signature, publicKey] = signed("a");
  const wrong = flipped(signature, 300);
  for (let round = 0; round < 3; round++) {
    t.equal(cache.verify(message, signature, publicKey), true);
    t.equal(cache.verify(message, wrong, publicKey), false);
  }
  t.same(cache.stats, { hits: 4, misses: 2, evictions: 0 });
  t.equal(cache.size, 2);
});

t.test("another message, signature or key is another question", async (t) => {
  const cache = new VerdictCache(native);
  const [message, signature, publicKey] = signed("a");
  const other = native.identityFromSeed(new Uint8Array(32).fill(2));
  t.equal(cache.verify(message, signature, publicKey), true);
  t.equal(cache.verify(text("b"), signature, publicKey), false);
  t.equal(cache.verify(text(""), signature, publicKey), false);
  t.equal(cache.verify(message, native.sign(message, other), publicKey), false);
  t.equal(cache.verify(message, signature, other.publicKey), false);
  t.same(cache.stats, { hits: 0, misses: 5, evictions: 0 });
});

t.test(
  "a flood of false signatures stays within the bound and costs an honest one a verification at most",
  async (t) => {
    const cache = new VerdictCache(native, { max: 8 });
    const honest = signed("honest");
    t.ok(cache.verify(...honest));
    const [, signature] = honest;
    for (let i = 0; i < 100; i++) t.notOk(cache.verify(text(`flood ${i}`), signature, identity.publicKey));
    t.equal(cache.size, 8);
    t.same(cache.stats, { hits: 0, misses: 101, evictions: 93 });
    t.ok(cache.verify(...honest));
    t.ok(cache.verify(...honest));
    t.same(cache.stats, { hits: 1, misses: 102, evictions: 94 });
  },
);

t.test("the verdict used last is forgotten last", async (t) => {
  const cache = new VerdictCache(native, { max: 2 });
  const [a, b, c] = [signed("a"), signed("b"), signed("c")];
  for (const question of [a, b, a, c, a]) cache.verify(...question);
  t.same(cache.stats, { hits: 2, misses: 3, evictions: 1 });
});

t.test("a signature or key of a wrong size is refused and takes no place", async (t) => {
  const cache = new VerdictCache(native);
  const [message, signature, publicKey] = signed("a");
  t.notOk(cache.verify(message, signature.subarray(1), publicKey));
  t.notOk(cache.verify(message, signature, publicKey.subarray(1)));
  t.notOk(cache.verify(message, new Uint8Array(0), new Uint8Array(0)));
  t.equal(cache.size, 0);
  t.same(cache.stats, { hits: 0, misses: 0, evictions: 0 });
});

t.test("a question of another kind is another question, though its bytes are those of a signature's", async (t) => {
  const cache = new VerdictCache(native);
  const [message, signature, publicKey] = signed("a");
  t.equal(
    cache.decide(() => false, QuestionKind.EDGE, publicKey, signature, message),
    false,
  );
  t.equal(cache.verify(message, signature, publicKey), true);
  t.equal(
    cache.decide(() => t.fail("asked again"), QuestionKind.EDGE, publicKey, signature, message),
    false,
  );
  t.same(cache.stats, { hits: 1, misses: 2, evictions: 0 });
});
