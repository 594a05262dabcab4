import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { KeptFile } from "../../src/daemon/kept-file.js";
import {
  ASKED_MAX,
  ASKED_WINDOW_MS,
  OWED_MAX,
  RECENT_PEERS_MAX,
  WAKE_GAP_MS,
  WAKE_JITTER_MS,
  WAKE_TRIES_MAX,
} from "../../src/federation/config.js";
import { type WakeUpState, WakeUpStateSchema } from "../../src/federation/wake-ups.js";
import { tempFolder } from "../daemon/temp-folder.js";
import { inventName, WakingWorld } from "./waking.js";

t.test("a node that asks all the time gets one wake-up in ten seconds", async (t) => {
  const world = new WakingWorld();
  const [a, b] = [await world.join(), await world.join()];
  let taken = 0;
  for (let i = 0; i < 300; i++) {
    if (a.wakeUps.handleAsked(b.name)) taken++;
    await world.pass(100);
  }
  t.equal(taken, 30_000 / ASKED_WINDOW_MS);
  t.equal(b.woken.length, taken);
  t.equal(a.stats.wakeUpsHeld, 300 - taken);
});

t.test("strangers that ask in crowds are held back, and a recent peer is woken meanwhile", async (t) => {
  const world = new WakingWorld();
  const sent: string[] = [];
  const honest = await world.join();
  const a = await world.join({
    // Those of the crowd never answer.
    sendSigned: (name) => {
      sent.push(name);
      return name === honest.name ? Promise.resolve(true) : new Promise(() => {});
    },
  });
  a.wakeUps.noteContact(honest.name);
  let taken = 0;
  for (let i = 0; i < 10_000; i++) if (a.wakeUps.handleAsked(inventName())) taken++;
  t.equal(taken, ASKED_MAX);
  t.equal(a.stats.wakeUpsHeld, 10_000 - ASKED_MAX);
  t.equal(a.wakeUps.handleAsked(honest.name), true);
  await world.passUntil(() => sent.includes(honest.name), ASKED_WINDOW_MS);
  await world.pass(100);
  t.equal(a.stats.wakeUpsSent, 1);
  await world.pass(ASKED_WINDOW_MS);
  t.equal(a.wakeUps.handleAsked(inventName()), true, "and later there is room for a stranger");
});

t.test("nodes that return together do not all begin at the same moment", async (t) => {
  const begun: number[] = [];
  const world = new WakingWorld();
  const sendSigned = async () => begun.push(world.timers.nowMs()) > 0;
  for (let i = 0; i < 100; i++) {
    const server = await world.join({ sendSigned });
    server.wakeUps.noteContact(inventName());
    server.wakeUps.handleConnected();
  }
  await world.pass(WAKE_JITTER_MS + 100, 10);
  t.equal(begun.length, 100);
  const early = begun.filter((atMs) => atMs < WAKE_JITTER_MS / 2).length;
  t.ok(early > 20 && early < 80, `${early} in the first half`);
});

t.test("contacts by the thousand are written once in a while, and a stop writes the rest", async (t) => {
  const world = new WakingWorld();
  const a = await world.join();
  const names = Array.from({ length: 10 }, inventName);
  for (let i = 0; i < 600; i++) {
    a.wakeUps.noteContact(names[i % 10]!);
    await world.pass(100);
  }
  t.ok(a.saves <= 4, `${a.saves} times in a minute`);
  a.wakeUps.noteContact(names[3]!);
  a.stop();
  t.equal(a.kept.recent[0], names[3]);
  const { saves } = a;
  a.wakeUps.noteContact(names[4]!);
  a.wakeUps.owe(inventName());
  await world.pass(120_000, 1_000);
  t.equal(a.saves, saves, "what comes after the stop is not written");
  t.equal(world.timers.pendingCount, 0);
});

t.test("the fullest state fits its schema and its file, and comes back in its order", async (t) => {
  const world = new WakingWorld();
  const path = join(tempFolder(t), "wake-ups");
  const empty: WakeUpState = { recent: [], owed: [] };
  const open = () => new KeptFile<WakeUpState>(path, WakeUpStateSchema, empty, (text) => t.fail(text));
  const file = open();
  const a = await world.join({ kept: file });
  for (let i = 0; i < RECENT_PEERS_MAX; i++) a.wakeUps.noteContact(inventName());
  for (let i = 0; i < OWED_MAX; i++) a.wakeUps.owe(inventName());
  await a.wakeUps.stop();
  const state = await open().load();
  t.equal(state.recent.length, RECENT_PEERS_MAX);
  t.equal(state.owed.length, OWED_MAX);
  const copy = await world.join();
  copy.kept = state;
  await copy.start();
  copy.wakeUps.noteContact(state.recent[0]!);
  await copy.wakeUps.stop();
  t.same(copy.kept, state);
});

t.test("a state with other names than servers' is not taken", async (t) => {
  const name = inventName();
  const toldWallMs = 1_700_000_000_000;
  t.ok(WakeUpStateSchema.safeParse({ recent: [name], owed: [{ name, toldWallMs }] }).success);
  for (const state of [
    { recent: ["matrix.org/x"], owed: [] },
    { recent: [name.toUpperCase()], owed: [] },
    { recent: [], owed: [{ name: "local host", toldWallMs }] },
    { recent: [], owed: [{ name, toldWallMs: 0.5 }] },
    { recent: Array.from({ length: RECENT_PEERS_MAX + 1 }, inventName), owed: [] },
    { recent: [] },
    null,
  ]) {
    t.notOk(WakeUpStateSchema.safeParse(state).success, JSON.stringify(state).slice(0, 60));
  }
});

const NAMES = Array.from({ length: 1_000 }, inventName);

/** So many calls of one kind for names from a place on, then time passes. */
const step = fc.record({
  does: fc.constantFrom("noteContact", "owe", "handlePaid", "handleBack", "handleAsked", "handleConnected", "restart"),
  first: fc.nat(NAMES.length - 1),
  count: fc.oneof(fc.nat(5), fc.nat(NAMES.length)),
  passMs: fc.oneof(fc.nat(1_000), fc.nat(60_000)),
});

t.test("whatever is told in whatever order, what is kept, searched for and sent stays within its bounds", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.infiniteStream(fc.boolean()), async (steps, answers) => {
      let sends = 0;
      const world = new WakingWorld();
      const a = await world.join({
        sendSigned: async () => {
          sends++;
          return answers.next().value!;
        },
      });
      for (const { does, first, count, passMs } of steps) {
        const names = Array.from({ length: count }, (_, i) => NAMES[(first + i) % NAMES.length]!);
        if (does === "handleConnected") a.wakeUps.handleConnected();
        else if (does === "restart") {
          await a.wakeUps.stop();
          await a.start();
        } else for (const name of names) a.wakeUps[does](name);
        await world.pass(passMs, 500);
        const { recent, owed } = WakeUpStateSchema.parse(a.kept);
        const distinct = new Set(recent).size + new Set(owed.map(({ name }) => name)).size;
        if (distinct !== recent.length + owed.length) throw new Error("a name twice");
      }
      const starts = 1 + steps.filter(({ does }) => does === "restart").length;
      const gaps = world.timers.nowMs() / WAKE_GAP_MS;
      if (a.node.searches > starts + gaps) throw new Error(`${a.node.searches} searches`);
      const asked = (RECENT_PEERS_MAX + ASKED_MAX) * (starts + world.timers.nowMs() / ASKED_WINDOW_MS);
      const woken = Math.min(starts + gaps, WAKE_TRIES_MAX * RECENT_PEERS_MAX * steps.length);
      if (sends > asked + woken) throw new Error(`${sends} sent`);
      a.stop();
      if (world.timers.pendingCount > 0) throw new Error("a timer is left");
    }),
    { numRuns: 60 },
  );
});
