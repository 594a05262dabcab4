import t from "tap";
import { Admission } from "../../src/federation/gateway/admission.js";
import { GATEWAY_SOURCES_MAX } from "../../src/federation/gateway/config.js";
import { Charge, Ledger } from "../../src/federation/quota.js";
import { newFederationStats } from "../../src/federation/stats.js";
import { VirtualTimers } from "../link/timers.js";
import { gatewayRules } from "./gateway-place.js";

const QUOTA = { streams: 2, connectsPerMinute: 6, bytesPerDay: 100 };

function ledger(wall = { nowMs: 0 }) {
  const timers = new VirtualTimers();
  const evicted = { count: 0 };
  const made = new Ledger({
    quota: () => QUOTA,
    code: "PINYON_EXIT_QUOTA",
    accountsMax: 3,
    timers,
    wallMs: () => wall.nowMs,
    onEviction: () => evicted.count++,
  });
  return { made, timers, evicted };
}

t.test("a day's bytes are used up until the next day of UTC begins", async (t) => {
  const wall = { nowMs: 86_400_000 - 1 };
  const { made } = ledger(wall);
  const account = made.connect("a");
  t.ok(made.pass(account, 100));
  t.notOk(made.pass(account, 1));
  t.throws(() => made.connect("a"), { code: "PINYON_EXIT_QUOTA", message: /bytes have passed today/ });
  t.same(
    [...made.accounts()].map(([subject, { bytesToday, refusals }]) => [subject, bytesToday, refusals]),
    [["a", 101, 1]],
  );
  wall.nowMs++;
  t.same(
    [...made.accounts()].map(([, { bytesToday }]) => bytesToday),
    [0],
  );
  t.ok(made.connect("a"));
});

t.test("where there are too many accounts, the one without streams that was used longest ago goes", async (t) => {
  const { made, evicted } = ledger();
  const names = () => [...made.accounts()].map(([subject]) => subject);
  const charge = new Charge();
  charge.add(made, "a");
  made.connect("b");
  made.connect("c");
  made.connect("b");
  made.connect("d");
  t.same([names(), evicted.count], [["a", "b", "d"], 1]);
  charge.end();
  made.connect("e");
  t.same([names(), evicted.count], [["b", "d", "e"], 2]);
});

t.test("a charge takes a stream from each of its accounts, and gives all of them back", async (t) => {
  const [one, other] = [ledger().made, ledger().made];
  const charge = new Charge();
  charge.add(one, "a");
  charge.add(other, "b");
  const full = new Charge();
  full.add(other, "b");
  t.throws(() => full.add(other, "b"), { message: /2 streams are open/ });
  const streams = () => [one, other].map((each) => [...each.accounts()][0]![1].streams);
  t.same(streams(), [1, 2]);
  t.ok(charge.pass(60));
  t.notOk(charge.pass(60));
  charge.end();
  charge.end();
  full.end();
  t.same(streams(), [0, 0]);
});

t.test("a gateway's accounts are bounded, however many sources there are", async (t) => {
  const stats = newFederationStats();
  const admission = new Admission({
    rules: gatewayRules(new Set()),
    isInvited: () => false,
    stats,
    timers: new VirtualTimers(),
    wallMs: () => 0,
  });
  const held = new Charge();
  admission.chargeSource(held, "8.8.8.8");
  for (let i = 0; i < GATEWAY_SOURCES_MAX + 50; i++) {
    const charge = new Charge();
    admission.chargeSource(charge, `2600:${(i >> 16).toString(16)}:${(i & 0xffff).toString(16)}::1`);
    charge.end();
  }
  const all = new Map(admission.sources());
  t.same([all.size, stats.ledgerEvictions], [GATEWAY_SOURCES_MAX, 51]);
  t.ok(all.has("8.8.8.8"), "one with a stream stays");
});
