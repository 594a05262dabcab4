import fc from "fast-check";
import t from "tap";
import { Random } from "../../sim/random.js";

const PINNED = [0x1771_19d4, 0x8196_2de5, 0xe360_9ab3];

t.test("a seed gives the same numbers for ever: a seed printed by an old run reproduces it", async (t) => {
  const random = new Random(1);
  t.same([random.uint32(), random.uint32(), random.uint32()], PINNED);
  t.not(new Random(2).uint32(), PINNED[0]);
});
t.test("numbers keep their range, bytes their size, and a new order has every item once", async () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 2 ** 32 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      (seed, bound, items) => {
        const random = new Random(seed);
        const sorted = (list: number[]) => [...list].sort((a, b) => a - b).join();
        return (
          random.below(bound) < bound &&
          random.between(5, 9) >= 5 &&
          random.between(5, 9) <= 9 &&
          random.bytes(bound % 67).length === bound % 67 &&
          sorted(random.shuffled(items)) === sorted(items)
        );
      },
    ),
  );
});

t.test("chances come true as often as they say, and each byte as often as any other", async (t) => {
  const random = new Random(3);
  let hits = 0;
  for (let i = 0; i < 40_000; i++) if (random.chance(1, 4)) hits++;
  t.ok(hits > 9_700 && hits < 10_300, `${hits} of 10,000`);
  t.notOk(random.chance(0, 1));
  t.ok(random.chance(1, 1));
  const counts = new Array<number>(256).fill(0);
  for (const byte of random.bytes(256_000)) counts[byte]!++;
  t.ok(counts.every((count) => count > 850 && count < 1_150));
});
