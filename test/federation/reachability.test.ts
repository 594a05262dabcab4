import fc from "fast-check";
import t from "tap";
import { AWAY_BACK_OFF, AWAY_TRY_MS, DESTINATIONS_MAX, OUTAGE_MS } from "../../src/federation/config.js";
import { Reachability } from "../../src/federation/reachability.js";
import { newFederationStats } from "../../src/federation/stats.js";
import { VirtualTimers } from "../link/timers.js";

const A = "a.pinyon.alt";
const B = "b.pinyon.alt";

function setUp(random: () => number = () => 0.5) {
  const timers = new VirtualTimers();
  const stats = newFederationStats();
  const reachability = new Reachability({ timers, random, stats });
  const back: string[] = [];
  reachability.onBack = (name) => back.push(name);
  return { timers, stats, reachability, back };
}

/** Lets time pass until a try is due, and has it fail. */
function failAgain({ timers, reachability }: ReturnType<typeof setUp>): void {
  const away = reachability.away(A);
  if (away !== undefined) timers.advance(away.retryMs - timers.nowMs());
  if (away !== undefined) reachability.away(A);
  reachability.handleFailure(A);
}

t.test("a destination of which nothing is known is tried", async (t) => {
  const { reachability } = setUp();
  t.equal(reachability.away(A), undefined);
  reachability.handleAlive(A);
  t.equal(reachability.away(A), undefined);
});

t.test("after a failure requests are answered at once, others are not touched by it", async (t) => {
  const { timers, reachability } = setUp();
  timers.advance(10);
  reachability.handleFailure(A);
  timers.advance(100);
  t.same(reachability.away(A), { sinceMs: 10, retryMs: 10 + 750 });
  t.equal(reachability.away(B), undefined);
});

t.test("the time to the next try doubles from one second to thirty, half of it by chance", async (t) => {
  for (const [random, share] of [
    [0, 0.5],
    [1 - Number.EPSILON, 1],
  ] as const) {
    const all = setUp(() => random);
    const seen: number[] = [];
    for (let i = 0; i < 8; i++) {
      failAgain(all);
      seen.push(all.reachability.away(A)!.retryMs - all.timers.nowMs());
    }
    t.same(
      seen.map((ms) => Math.round(ms)),
      [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000].map((ms) => ms * share),
    );
    t.equal(all.reachability.away(A)!.sinceMs, 0, "since the first failure in the row");
  }
});

t.test("while one request tries a destination that was away, the others are answered at once", async (t) => {
  const { timers, reachability } = setUp();
  reachability.handleFailure(A);
  timers.advance(750);
  t.equal(reachability.away(A), undefined, "this one tries");
  t.match(reachability.away(A), { sinceMs: 0 });
  timers.advance(AWAY_TRY_MS - 1);
  t.match(reachability.away(A), { sinceMs: 0 });
  reachability.handleAlive(A);
  t.equal(reachability.away(A), undefined);
  t.equal(reachability.away(A), undefined, "once it is alive all try");
});

t.test("a try of which nothing is heard does not close the way for ever", async (t) => {
  const { timers, reachability } = setUp();
  reachability.handleFailure(A);
  timers.advance(750);
  t.equal(reachability.away(A), undefined);
  timers.advance(AWAY_TRY_MS);
  t.equal(reachability.away(A), undefined);
});

t.test("requests that fail by the same try count as one failure", async (t) => {
  const { timers, reachability } = setUp();
  for (let i = 0; i < 50; i++) reachability.handleFailure(A);
  t.equal(reachability.away(A)!.retryMs, 750);
  timers.advance(750);
  t.equal(reachability.away(A), undefined);
  for (let i = 0; i < 50; i++) reachability.handleFailure(A);
  t.equal(reachability.away(A)!.retryMs, 750 + 1_500);
});

t.test("who is alive again is told of once, and only if it was away", async (t) => {
  const { reachability, back } = setUp();
  reachability.handleAlive(A);
  t.same(back, []);
  reachability.handleFailure(A);
  reachability.handleAlive(A);
  reachability.handleAlive(A);
  t.same(back, [A]);
});

t.test("an outage is two minutes of failures, no less", async (t) => {
  const all = setUp();
  t.equal(all.reachability.isOutage(A), false);
  while (all.timers.nowMs() < OUTAGE_MS) {
    t.equal(all.reachability.isOutage(A), false, `${all.timers.nowMs()} ms`);
    failAgain(all);
  }
  t.equal(all.reachability.isOutage(A), true);
  all.reachability.handleAlive(A);
  t.equal(all.reachability.isOutage(A), false);
});

t.test("two hiccups that are far apart are no outage", async (t) => {
  const { timers, reachability } = setUp();
  for (let i = 0; i < 5; i++) {
    reachability.handleFailure(A);
    t.equal(reachability.isOutage(A), false);
    timers.advance(OUTAGE_MS);
    t.equal(reachability.away(A), undefined);
  }
});

t.test("an outage lasts until the destination is alive, however rarely it is tried", async (t) => {
  const all = setUp();
  while (!all.reachability.isOutage(A)) failAgain(all);
  all.timers.advance(24 * 3_600_000);
  t.equal(all.reachability.away(A), undefined, "it is tried");
  all.reachability.handleFailure(A);
  t.equal(all.reachability.isOutage(A), true);
  t.equal(all.reachability.away(A)!.sinceMs, 0);
});

t.test("what failed while this node had no link says nothing of the destinations", async (t) => {
  const all = setUp();
  while (!all.reachability.isOutage(A)) failAgain(all);
  all.reachability.handleConnected();
  t.equal(all.reachability.away(A), undefined);
  t.equal(all.reachability.isOutage(A), false);
  t.same(all.back, [], "it is not known to be alive");
});

t.test("invented names take no more than their room, and are counted; who is asked for stays", async (t) => {
  const { reachability, stats } = setUp();
  reachability.handleFailure(A);
  for (let i = 0; i < 3 * DESTINATIONS_MAX; i++) {
    reachability.handleFailure(`${i}.pinyon.alt`);
    reachability.away(A);
  }
  t.equal(stats.destinationEvictions, 2 * DESTINATIONS_MAX + 1);
  t.match(reachability.away(A), { sinceMs: 0 });
});

t.test("whatever happens, a destination can be tried within half a minute, and one that is alive at once", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom("away", "failure", "alive", "connected"), name: fc.constantFrom(A, B) }),
    fc.record({ do: fc.constant("pass"), ms: fc.nat(60_000) }),
  );
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      (steps, chance) => {
        const { timers, reachability } = setUp(() => chance);
        for (const one of steps) {
          if ("ms" in one) timers.advance(one.ms);
          else if (one.do === "failure") reachability.handleFailure(one.name);
          else if (one.do === "alive") reachability.handleAlive(one.name);
          else if (one.do === "connected") reachability.handleConnected();
          const name = "name" in one ? one.name : A;
          const away = reachability.away(name);
          if (away === undefined) continue;
          if ("do" in one && one.do === "alive") throw new Error("alive and away");
          if (away.sinceMs > timers.nowMs() || away.retryMs <= timers.nowMs()) throw new Error("in a wrong order");
          if (away.retryMs - timers.nowMs() > AWAY_BACK_OFF.maxMs) throw new Error("too late");
        }
      },
    ),
  );
});
