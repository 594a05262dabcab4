import t from "tap";
import { nodeConfig } from "../../src/node/config.js";
import { type Demand, KeepAlive, LinkUse } from "../../src/node/keep-alive.js";
import { PING, PONG } from "../../src/wire/control.js";

const { keepAlive: config } = nodeConfig("native");

/** Lets time pass up to `untilMs`, and notes what the silence calls for and when. Pings are sent as they fall due. */
function watch(keepAlive: KeepAlive, untilMs: number, token = 7): (readonly [number, Demand])[] {
  const demands: (readonly [number, Demand])[] = [];
  let nowMs = keepAlive.pollTimeout(0);
  while (nowMs <= untilMs) {
    const demand = keepAlive.handleTimeout(nowMs);
    if (demand !== undefined) demands.push([nowMs, demand]);
    if (demand === "dead") break;
    keepAlive.pollPing(() => token, nowMs);
    nowMs = Math.max(keepAlive.pollTimeout(nowMs), nowMs);
  }
  return demands;
}

t.test(
  "how soon a silent link is pinged follows its use, and a ping without any frame after it is death",
  async (t) => {
    const deathOf = (use: LinkUse) => {
      const keepAlive = new KeepAlive(config, false, 20, 0);
      keepAlive.use = use;
      return watch(keepAlive, 300_000);
    };
    const { usedMs, idleMs, parentExtraMs, deadMs } = config;
    for (const [use, silenceMs] of [
      [LinkUse.FULL, usedMs],
      [LinkUse.CHILD, usedMs + parentExtraMs],
      [LinkUse.NONE, idleMs],
    ] as const) {
      t.same(deathOf(use), [
        [silenceMs, "ping"],
        [silenceMs + deadMs, "dead"],
      ]);
    }
  },
);

t.test("data makes a link a used one for a while, whichever way it went", async (t) => {
  for (const pass of ["handleSent", "handleReceived"] as const) {
    const keepAlive = new KeepAlive(config, false, 20, 0);
    keepAlive[pass](true, 100);
    keepAlive.handleReceived(false, 101);
    t.equal(keepAlive.pollTimeout(101), 101 + config.usedMs);
    const laterMs = 101 + config.dataUseMs;
    keepAlive.handleReceived(false, laterMs);
    t.equal(keepAlive.pollTimeout(laterMs), laterMs + config.idleMs);
  }
});

t.test("something sent that nothing follows for a second is asked after at once", async (t) => {
  const busy = new KeepAlive(config, false, 20, 0);
  busy.handleSent(false, 10);
  t.same(watch(busy, 60_000), [
    [config.unheardMs, "ping"],
    [10 + config.deadMs, "dead"],
  ]);
  const silentForLong = new KeepAlive(config, false, 20, 0);
  silentForLong.handleSent(false, 4_000);
  t.same(watch(silentForLong, 4_000), [[4_000, "ping"]]);
});

t.test("a link that takes no ping is dead once it takes nothing else either", async (t) => {
  const full = new KeepAlive(config, false, 20, 0);
  full.handleSent(true, 0);
  t.equal(full.handleTimeout(1_000), "ping");
  full.handleSent(true, 2_500);
  t.equal(full.handleTimeout(4_499), undefined, "it took something since");
  t.equal(full.handleTimeout(2_500 + config.answerMs), "dead");
});

t.test("any frame in time is a sign of life, and silence begins anew", async (t) => {
  const keepAlive = new KeepAlive(config, false, 20, 0);
  keepAlive.use = LinkUse.FULL;
  t.same(watch(keepAlive, config.usedMs), [[config.usedMs, "ping"]]);
  keepAlive.handleReceived(false, config.usedMs);
  t.equal(keepAlive.pollTimeout(config.usedMs), 2 * config.usedMs, "though in the same millisecond");
});

t.test("a link that is heard is never pinged", async (t) => {
  const keepAlive = new KeepAlive(config, false, 20, 0);
  keepAlive.use = LinkUse.FULL;
  for (let nowMs = 0; nowMs < 60_000; nowMs += 500) {
    keepAlive.handleSent(true, nowMs);
    keepAlive.handleReceived(false, nowMs);
    t.equal(keepAlive.handleTimeout(nowMs), undefined);
  }
});

t.test("the round-trip time is smoothed over answered pings alone", async (t) => {
  const keepAlive = new KeepAlive(config, false, 100, 0);
  keepAlive.doubt(1_000);
  const ping = PING.decode(keepAlive.pollPing(() => 0xffff_ffff, 1_000)!);
  t.equal(typeof ping === "number" ? 0 : ping.token, 0xffff_ffff);
  t.notOk(keepAlive.handlePong(1, 1_050), "a guess");
  t.equal(keepAlive.rttMs, 100);
  t.ok(keepAlive.handlePong(0xffff_ffff, 1_180));
  t.equal(keepAlive.rttMs, 110);
  t.equal(keepAlive.rttVarMs, 57.5);
  t.notOk(keepAlive.handlePong(0xffff_ffff, 1_190), "the same again");
  t.equal(keepAlive.rttMs, 110);
});

t.test("a doubt asks at once, but never while a ping is out", async (t) => {
  const keepAlive = new KeepAlive(config, false, 20, 0);
  keepAlive.doubt(0);
  t.ok(keepAlive.pollPing(() => 1, 10));
  keepAlive.doubt(1_000);
  t.equal(
    keepAlive.pollPing(() => 2, 20),
    undefined,
  );
  t.equal(keepAlive.handleTimeout(10 + config.deadMs), "dead");
});

t.test("a flood of pings is owed one pong at a time, and ends at its budget", async (t) => {
  const keepAlive = new KeepAlive(config, false, 20, 0);
  let taken = 0;
  while (keepAlive.handlePing(taken, 0)) taken++;
  t.equal(taken, config.pingsBurst);
  const pong = PONG.decode(keepAlive.pollPong()!);
  t.equal(typeof pong === "number" ? -1 : pong.token, taken, "the newest");
  t.equal(keepAlive.pollPong(), undefined);
  t.ok(keepAlive.handlePing(1, 1_000), "later there is budget again");
});
