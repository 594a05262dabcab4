import fc from "fast-check";
import t from "tap";
import { Retries, type RetriesOptions } from "../../src/federation/retries.js";
import { VirtualTimers } from "../link/timers.js";

const GAP_MS = 100;

interface Try {
  readonly name: string;
  readonly atMs: number;
  settle(done: boolean): Promise<void>;
}

/** Tries are settled by the test; where `result` is given, at once. */
function setUp(options: Partial<RetriesOptions> & { result?: boolean } = {}) {
  const timers = new VirtualTimers();
  const tries: Try[] = [];
  const retries = new Retries({
    timers,
    random: () => 0,
    backOff: { firstMs: 2_000, maxMs: 16_000 },
    triesMax: Number.POSITIVE_INFINITY,
    gapMs: GAP_MS,
    attempt: (name) => {
      const { result } = options;
      let resolve!: (done: boolean) => void;
      const attempt = new Promise<boolean>((settle) => {
        resolve = settle;
      });
      const settle = async (done: boolean) => {
        resolve(done);
        await passed();
      };
      tries.push({ name, atMs: timers.nowMs(), settle });
      return result === undefined ? attempt : Promise.resolve(result);
    },
    ...options,
  });
  return { timers, tries, retries };
}

/** Whatever was resolved has been taken up. */
function passed(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Lets time pass in steps, so that what a promise begins falls into its time. */
async function pass(timers: VirtualTimers, ms: number, stepMs = 50): Promise<void> {
  for (let atMs = 0; atMs < ms; atMs += stepMs) {
    timers.advance(Math.min(stepMs, ms - atMs));
    await passed();
  }
}

t.test("a name is tried after its delay, then later with each failure, until it is done", async (t) => {
  const { timers, tries, retries } = setUp();
  retries.add("a", 500);
  for (const result of [false, false, false, false, false, true]) {
    timers.advance(60_000);
    await tries.at(-1)!.settle(result);
  }
  timers.advance(600_000);
  const times = tries.map(({ atMs }) => atMs);
  t.same(
    times.map((atMs, i) => atMs - (i === 0 ? 0 : 60_000 * i)),
    [500, 1_000, 2_000, 4_000, 8_000, 8_000],
  );
  t.equal(timers.pendingCount, 0);
});

t.test("a name is given up after so many tries, and may be added again", async (t) => {
  const { timers, tries, retries } = setUp({ triesMax: 3, result: false });
  retries.add("a", 0);
  await pass(timers, 60_000, 500);
  t.equal(tries.length, 3);
  t.equal(timers.pendingCount, 0);
  retries.add("a", 0);
  await pass(timers, 60_000, 500);
  t.equal(tries.length, 6);
});

t.test("tries begin a gap apart, in the order in which they fell due, and one that hangs holds up none", async (t) => {
  const { timers, tries, retries } = setUp();
  for (const name of ["a", "b", "c", "d"]) retries.add(name, 0);
  retries.add("late", 1);
  timers.advance(10_000);
  t.same(
    tries.map(({ name, atMs }) => [name, atMs]),
    [
      ["a", 0],
      ["b", GAP_MS],
      ["c", 2 * GAP_MS],
      ["d", 3 * GAP_MS],
      ["late", 4 * GAP_MS],
    ],
  );
});

t.test("a name that is added again is tried sooner, once, and with the back-off at its beginning", async (t) => {
  const { timers, tries, retries } = setUp();
  retries.add("a", 0);
  for (let i = 0; i < 4; i++) {
    timers.advance(60_000);
    await tries.at(-1)!.settle(false);
  }
  t.equal(tries.length, 4);
  retries.add("a", 100);
  retries.add("a", 100);
  timers.advance(100);
  t.equal(tries.length, 5);
  retries.add("a", 0);
  timers.advance(5_000);
  t.equal(tries.length, 5, "not while it is under way");
  await tries.at(-1)!.settle(false);
  timers.advance(1_000);
  t.equal(tries.length, 6, "after the first delay");
});

t.test("a name that is deleted is not tried: neither waiting, due nor under way", async (t) => {
  const { timers, tries, retries } = setUp();
  for (const name of ["a", "b"]) retries.add(name, 0);
  retries.add("c", 1_000);
  timers.advance(0);
  t.same(
    tries.map(({ name }) => name),
    ["a"],
  );
  for (const name of ["a", "b", "c"]) retries.delete(name);
  await tries[0]!.settle(false);
  timers.advance(60_000);
  t.equal(tries.length, 1);
  t.equal(timers.pendingCount, 0);
});

t.test("a name that is deleted and added while a try is under way is tried anew", async (t) => {
  const { timers, tries, retries } = setUp();
  retries.add("a", 0);
  timers.advance(0);
  retries.delete("a");
  retries.add("a", 1_000);
  await tries[0]!.settle(true);
  timers.advance(1_000);
  t.equal(tries.length, 2, "what the first one led to is of no interest");
});

t.test("after a stop nothing is tried and no timer is left", async (t) => {
  const { timers, tries, retries } = setUp();
  for (const name of ["a", "b", "c"]) retries.add(name, 0);
  timers.advance(0);
  retries.stop();
  await tries[0]!.settle(false);
  retries.add("d", 0);
  timers.advance(60_000);
  t.equal(tries.length, 1);
  t.equal(timers.pendingCount, 0);
});

t.test("whatever is added and deleted, tries keep their gap and are of names that are there", async () => {
  const step = fc.record({
    add: fc.boolean(),
    name: fc.constantFrom("a", "b", "c", "d", "e"),
    delayMs: fc.nat(3_000),
    passMs: fc.nat(2_000),
    result: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { timers, tries, retries } = setUp();
      const there = new Set<string>();
      for (const { add, name, delayMs, passMs, result } of steps) {
        if (add) retries.add(name, delayMs);
        else retries.delete(name);
        if (add) there.add(name);
        else there.delete(name);
        const before = tries.length;
        timers.advance(passMs);
        for (const one of tries.slice(before)) {
          if (!there.has(one.name)) throw new Error(`${one.name} was deleted`);
          await one.settle(result);
          if (result) there.delete(one.name);
        }
      }
      const before = tries.length;
      timers.advance(60_000);
      const tried = tries.slice(before).map(({ name }) => name);
      if (tried.toSorted().join() !== [...there].sort().join()) throw new Error(`${tried}, not ${[...there]}`);
      for (const [i, one] of tries.entries()) {
        if (i > 0 && one.atMs - tries[i - 1]!.atMs < GAP_MS) throw new Error("too close");
      }
    }),
    { numRuns: 200 },
  );
});
