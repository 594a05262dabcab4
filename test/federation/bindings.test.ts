import { randomBytes } from "node:crypto";
import t, { type Test } from "tap";
import { type BindingEvent, Bindings, type KeptPins } from "../../src/federation/binding/bindings.js";
import { BINDINGS_MAX, PIN_FOR_MS, REFRESH_MS } from "../../src/federation/binding/config.js";
import { makeBinding, readBinding, statementOf } from "../../src/federation/binding/statement.js";
import { DirectNetwork } from "../../src/federation/classic/network.js";
import { WellKnown } from "../../src/federation/classic/well-known.js";
import { Signer } from "../../src/federation/signing.js";
import { newFederationStats } from "../../src/federation/stats.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { TestAuthority } from "./authority.js";
import { type Reached, TestInternet } from "./internet.js";
import { NOW_MS } from "./signing-server.js";

/* What is remembered of a name through the years, over real TLS; time moves when a test says so. */

const NAME = "a.example";
const DAY_MS = 24 * 3_600_000;

interface World {
  readonly bindings: Bindings;
  readonly stats: ReturnType<typeof newFederationStats>;
  readonly events: BindingEvent[];
  readonly looked: readonly Reached[];
  readonly page: { status: number; text: string };
  readonly kept: { pins: KeptPins };
  /** Lets time pass, on the wall as well. */
  pass(ms: number): void;
  wallMs(): number;
}

async function world(t: Test, pins: KeptPins = []): Promise<World> {
  const timers = new VirtualTimers();
  const stats = newFederationStats();
  const events: BindingEvent[] = [];
  const authority = await TestAuthority.make();
  const internet = new TestInternet(t, authority);
  const shown = { status: 404, text: "" };
  const kept = { pins };
  internet.host(NAME, "8.0.0.1");
  const looked = await internet.server("8.0.0.1", 443, { dns: [NAME] }, (_request, response) => {
    response.writeHead(shown.status, { "cache-control": "max-age=300" }).end(shown.text);
  });
  const wallMs = () => NOW_MS + timers.nowMs();
  const bindings = new Bindings({
    stats,
    wallMs,
    kept: {
      load: async () => kept.pins,
      save: (saved) => Object.assign(kept, { pins: saved }),
      written: async () => {},
    },
    onEvent: (event) => events.push(event),
  });
  const network = new DirectNetwork(stats, timers, internet);
  const onSaid = bindings.handleSaid.bind(bindings);
  const authorities = [authority.certificatePem];
  await bindings.start(new WellKnown({ network, authorities, stats, timers, random: Math.random, onSaid }));
  return { bindings, stats, events, looked, page: shown, kept, wallMs, pass: (ms) => timers.advance(ms) };
}

const NODE = new Signer(Buffer.alloc(32, 1), "");
const OTHER = new Signer(Buffer.alloc(32, 2), "");

function say({ page, wallMs }: World, node: Signer | undefined, days = 365): void {
  const statement = node && statementOf(makeBinding(node, NAME, wallMs(), wallMs() + days * DAY_MS));
  Object.assign(page, { status: 200, text: JSON.stringify({ "m.server": NAME, "pinyon.node": statement }) });
}

t.test("a binding in use is looked at again each day, and renewed without a word", async (t) => {
  const one = await world(t);
  say(one, NODE, 40);
  t.same(await one.bindings.keyOf(NAME), NODE.publicKey);
  for (let day = 1; day <= 30; day++) {
    one.pass(REFRESH_MS);
    say(one, NODE, 40);
    t.same(await one.bindings.keyOf(NAME), NODE.publicKey);
    await until("it is looked at", () => one.stats.bindingsRenewed === day);
  }
  t.same(one.events, [{ what: "pinned", name: NAME, node: one.bindings.list()[0]!.node }]);
  t.equal(one.looked.length, 31);
  t.equal(one.stats.bindingChanges, 0);
});

t.test(
  "a name whose host is away stays bound for a month, and is a classic one after that, until it is seen",
  async (t) => {
    const one = await world(t);
    say(one, NODE);
    await one.bindings.keyOf(NAME);
    one.page.status = 500;
    one.pass(PIN_FOR_MS - 1);
    t.same(await one.bindings.keyOf(NAME), NODE.publicKey);
    one.pass(DAY_MS);
    t.equal(await one.bindings.keyOf(NAME), undefined);
    t.match(one.bindings.list(), [{ state: "expired" }]);
    say(one, NODE);
    one.pass(DAY_MS);
    t.same(await one.bindings.keyOf(NAME), NODE.publicKey);
    t.same(
      one.events.map(({ what }) => what),
      ["pinned"],
    );
  },
);

t.test("a statement that runs out binds no longer, and a new one of the same node goes on", async (t) => {
  const one = await world(t);
  say(one, NODE, 2);
  await one.bindings.keyOf(NAME);
  one.pass(2 * DAY_MS);
  t.equal(await one.bindings.keyOf(NAME), undefined);
  t.equal(await one.bindings.isBound(NAME, NODE.publicKey), false);
  t.equal(one.stats.bindingsRefused, 1, "what stands there still is not good");
  say(one, NODE, 2);
  one.pass(3_600_000);
  t.equal(await one.bindings.isBound(NAME, NODE.publicKey), true);
  t.same(
    one.events.map(({ what }) => what),
    ["pinned"],
  );
});

t.test("also after it has run out, or was taken away, another node is an alarm", async (t) => {
  for (const isRemoved of [false, true]) {
    const one = await world(t);
    say(one, NODE, 2);
    await one.bindings.keyOf(NAME);
    if (isRemoved) say(one, undefined);
    one.pass(2 * DAY_MS);
    await one.bindings.keyOf(NAME);
    say(one, OTHER);
    one.pass(3_600_000);
    t.equal(await one.bindings.isBound(NAME, OTHER.publicKey), false);
    await t.rejects(one.bindings.keyOf(NAME), { code: "PINYON_BINDING_CHANGED" });
    t.equal(one.stats.bindingChanges, 1);
  }
});

t.test("a statement that is taken away ends the binding at the next look", async (t) => {
  for (const status of [404, 410, 200]) {
    const one = await world(t);
    say(one, NODE);
    await one.bindings.keyOf(NAME);
    say(one, undefined);
    one.page.status = status;
    one.pass(REFRESH_MS);
    t.same(await one.bindings.keyOf(NAME), NODE.publicKey, "the look is beside the request");
    await until("it is over", () => one.events.length === 2);
    t.equal(await one.bindings.keyOf(NAME), undefined);
    t.equal(one.events[1]?.what, "withdrawn");
    say(one, NODE);
    one.pass(DAY_MS);
    t.same(await one.bindings.keyOf(NAME), NODE.publicKey, "until it stands there again");
  }
});

t.test(
  "what a person put in holds as long as it says, though the name says nothing; another node is an alarm",
  async (t) => {
    const one = await world(t);
    const statement = statementOf(makeBinding(NODE, NAME, NOW_MS, NOW_MS + 300 * DAY_MS));
    one.bindings.import(JSON.stringify(statement));
    for (let i = 0; i < 280; i += 40) {
      one.pass(40 * DAY_MS);
      t.same(await one.bindings.keyOf(NAME), NODE.publicKey);
      await until("it is looked at", () => one.stats.wellKnownFailures === i / 40 + 1);
    }
    say(one, OTHER);
    one.pass(3_600_000);
    await one.bindings.keyOf(NAME);
    await until("it is told", () => one.stats.bindingChanges === 1);
    await t.rejects(one.bindings.keyOf(NAME), { code: "PINYON_BINDING_CHANGED" });
  },
);

t.test("what is put in must be good", async (t) => {
  const { bindings, stats } = await world(t);
  const good = statementOf(makeBinding(NODE, NAME, NOW_MS, NOW_MS + DAY_MS));
  for (const text of [
    "",
    "x",
    "[]",
    "{}",
    '{"pinyon.node":1}',
    JSON.stringify({ ...good, server_name: "b.example" }),
  ]) {
    t.throws(() => bindings.import(text), { code: "PINYON_BINDING" }, text);
  }
  const old = statementOf(makeBinding(NODE, NAME, NOW_MS - 9 * DAY_MS, NOW_MS - DAY_MS));
  t.throws(() => bindings.import(JSON.stringify(old)), { message: /it was good until 2025-06-14T15:06:40Z/ });
  t.same([bindings.list(), stats.bindingsPinned], [[], 0]);
});

t.test("what is kept is taken up, but for what somebody changed on the disk", async (t) => {
  const first = await world(t);
  say(first, NODE);
  await first.bindings.keyOf(NAME);
  first.bindings.import(JSON.stringify(statementOf(makeBinding(OTHER, "b.example", NOW_MS, NOW_MS + DAY_MS))));
  const kept = JSON.parse(JSON.stringify(first.kept.pins)) as KeptPins;
  const second = await world(t, kept);
  t.same(second.bindings.list(), first.bindings.list());
  t.same(second.bindings.pinned(NAME), NODE.publicKey);
  const forged = kept.map((pin) => ({ ...pin, statement: { ...pin.statement, server_name: "c.example" } }));
  const third = await world(t, forged);
  t.same([third.bindings.list(), third.stats.bindingsRefused], [[], 2]);
  const ahead = await world(
    t,
    kept.map((pin) => ({ ...pin, seenWallMs: NOW_MS + 999 * DAY_MS })),
  );
  t.ok(
    ahead.bindings.list().every(({ untilMs }) => untilMs <= NOW_MS + PIN_FOR_MS),
    "a clock that was ahead extends nothing",
  );
});

t.test("the one used longest ago goes for a new one; what a person put in, and an alarm, stay", async (t) => {
  const one = await world(t);
  const { bindings, stats } = one;
  const pin = (name: string, node = NODE) => {
    const statement = statementOf(makeBinding(node, name, NOW_MS, NOW_MS + DAY_MS));
    bindings.handleSaid(name, { delegate: undefined, node: JSON.stringify(statement), isSaid: true });
  };
  bindings.import(JSON.stringify(statementOf(makeBinding(NODE, "file.example", NOW_MS, NOW_MS + DAY_MS))));
  pin("alarm.example");
  pin("alarm.example", OTHER);
  for (let i = 0; i < BINDINGS_MAX - 2; i++) pin(`n${i}.example`);
  t.equal(stats.bindingEvictions, 0);
  await bindings.keyOf("n0.example");
  pin("new.example");
  t.equal(bindings.list().length, BINDINGS_MAX);
  t.equal(stats.bindingEvictions, 1);
  t.same(
    ["file.example", "n0.example", "n1.example", "new.example"].map((name) => bindings.pinned(name) !== undefined),
    [true, true, false, true],
  );
  t.match(bindings.list()[0], { name: "alarm.example", state: "changed" });
  t.equal(one.kept.pins.length, BINDINGS_MAX);
});

t.test("a statement's bytes are these", async (t) => {
  const binding = makeBinding(NODE, NAME, NOW_MS, NOW_MS + DAY_MS);
  const statement = JSON.stringify(statementOf(binding));
  t.same(readBinding(statement, NOW_MS), binding);
  t.equal(
    statement,
    '{"server_name":"a.example","node":"rkeohxlubhyzl7ks3mwtzos5olfgocn7dwkbeg7toseadnapn5oa","issued_ts":1750000000000,"expires_ts":1750086400000,"signature":"Zr8Ve7CMXxH0AC5NZxausNAPXH0aAsICGADnZ5TSGzuMoBpJVBYGS7aVM/p3KieWjsmCgcBLOfwXVN6T+7PfCA"}',
  );
  const key = Buffer.from(NODE.publicKey).toString("hex");
  const tag = Buffer.from("pinyon/1 binding").toString("hex");
  const signed = `${tag}0000${key}01977420dc00019779473800${Buffer.from(NAME).toString("hex")}`;
  t.equal(binding.signature, NODE.sign(Buffer.from(signed, "hex")));
});

t.test("no text makes reading throw anything else", async (t) => {
  for (let i = 0; i < 500; i++) {
    t.throws(() => readBinding(randomBytes(i % 64), NOW_MS), { code: "PINYON_BINDING" });
  }
});
