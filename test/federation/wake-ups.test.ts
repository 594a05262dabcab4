import type { ServerHttp2Stream } from "node:http2";
import t from "tap";
import {
  ASKED_JITTER_MS,
  OWED_BACK_OFF,
  OWED_FOR_MS,
  OWED_MAX,
  RECENT_PEERS_MAX,
  WAKE_GAP_MS,
  WAKE_JITTER_MS,
  WAKE_TIMEOUT_MS,
  WAKE_TRIES_MAX,
  WOKEN_FOR_MS,
} from "../../src/federation/config.js";
import { until } from "../link/until.js";
import { inventName, WakingWorld } from "./waking.js";

const FIVE_MINUTES_MS = OWED_BACK_OFF.maxMs;

/** Two servers, the homeserver of the first of which was told 404 for the second, which is away. */
async function owing() {
  const world = new WakingWorld();
  const [a, b] = [await world.join(), await world.join()];
  b.stop();
  a.wakeUps.owe(b.name);
  return { world, a, b };
}

t.test("a server that owes a wake-up is looked for, more and more rarely, until it is back and pays", async (t) => {
  const { world, a, b } = await owing();
  await world.pass(120_000);
  const soon = a.node.searches;
  t.ok(soon >= 3 && soon <= 8, `${soon} searches in two minutes`);
  await world.pass(10 * FIVE_MINUTES_MS);
  const late = a.node.searches - soon;
  t.ok(late >= 9 && late <= 21, `${late} in ten times five more`);
  await b.start();
  await world.passUntil(() => a.woken.length > 0, FIVE_MINUTES_MS + 1_000);
  await until("both have heard of it", () => a.stats.wakeUpsAsked === 1 && b.stats.wakeUpsSent === 1);
  t.match(a.woken, [{ by: b.name }]);
  t.equal(a.stats.wakeUpsAsked, 1);
  t.equal(b.stats.wakeUpsSent, 1);
  const searches = a.node.searches;
  await world.pass(2 * FIVE_MINUTES_MS, 1_000);
  t.equal(a.node.searches, searches, "nothing is owed any more");
  t.same(a.kept.owed, []);
});

t.test("a server that is seen to be alive is asked at once, though it knows nothing of us", async (t) => {
  const { world, a, b } = await owing();
  await world.pass(4 * FIVE_MINUTES_MS, 1_000);
  await b.start();
  t.same(b.kept.recent, []);
  a.wakeUps.handleBack(b.name);
  await world.passUntil(() => a.woken.length > 0, ASKED_JITTER_MS + 1_000);
  a.wakeUps.handleBack(b.name);
  await world.pass(60_000);
  t.equal(b.askedMs.length, 1, "what is paid is not asked for");
});

t.test("what is owed outlives the daemon, also where it is killed at once", async (t) => {
  const { world, a, b } = await owing();
  await world.pass(1);
  a.kill();
  await world.pass(60_000, 1_000);
  await b.start();
  await world.pass(60_000, 1_000);
  await a.start();
  await world.passUntil(() => a.woken.length > 0, OWED_BACK_OFF.firstMs + 1_000);
  await world.pass(1_000);
  a.kill();
  await a.start();
  const searches = a.node.searches;
  await world.pass(60_000);
  t.equal(a.node.searches, searches, "and so does that it was paid");
});

t.test("where both were away, the one that returns last is told by the other or asks it", async (t) => {
  for (const lastIsOwed of [true, false]) {
    const { world, a, b } = await owing();
    a.stop();
    await world.pass(600_000, 1_000);
    const [first, last] = lastIsOwed ? [b, a] : [a, b];
    await first.start();
    first.wakeUps.handleConnected();
    await world.pass(600_000, 1_000);
    await last.start();
    last.wakeUps.handleConnected();
    await world.passUntil(() => a.woken.length > 0, FIVE_MINUTES_MS + 1_000);
    t.match(a.woken, [{ by: b.name }]);
  }
});

t.test("a node that has a link again asks those that owe at once, not when its back-off says", async (t) => {
  const { world, a, b } = await owing();
  await world.pass(4 * FIVE_MINUTES_MS, 1_000);
  await b.start();
  a.wakeUps.handleConnected();
  await world.passUntil(() => a.woken.length > 0, WAKE_JITTER_MS + ASKED_JITTER_MS + 1_000);
  t.equal(b.askedMs.length, 1);
});

t.test("the transaction that pays may be the homeserver's own, or come unasked", async (t) => {
  const { world, a, b } = await owing();
  a.wakeUps.handlePaid(b.name);
  a.wakeUps.handlePaid(inventName());
  await b.start();
  await world.pass(60_000);
  t.equal(a.node.searches, 0);
});

t.test("a server that says yes and never pays is asked again, and not all the time", async (t) => {
  const { world, a, b } = await owing();
  await b.start();
  b.answer = (request) => request.respond({ ":status": 202 }, { endStream: true });
  await world.pass(600_000);
  t.ok(b.askedMs.length >= 600_000 / OWED_BACK_OFF.firstMs - 3, `${b.askedMs.length} times`);
  t.ok(b.askedMs.length <= 600_000 / (OWED_BACK_OFF.firstMs / 2), `${b.askedMs.length} times`);
  b.answer = undefined;
  await world.passUntil(() => a.woken.length > 0, OWED_BACK_OFF.firstMs + 1_000);
});

t.test("a server that answers badly, or never, is asked later again, and others are served meanwhile", async (t) => {
  const bad: Record<string, { answer: (request: ServerHttp2Stream) => void; agrees?: true }> = {
    refuses: { answer: (request) => request.respond({ ":status": 429 }, { endStream: true }) },
    "has no homeserver": { answer: (request) => request.respond({ ":status": 502 }, { endStream: true }) },
    "breaks off": { answer: (request) => request.destroy() },
    "never answers": { answer: () => {} },
    "sends without end": {
      answer: (request) => {
        request.respond({ ":status": 202 });
        const more = () => {
          while (!request.destroyed && request.write(Buffer.alloc(16_384)));
        };
        request.on("drain", more);
        more();
      },
      agrees: true,
    },
  };
  for (const [manner, { answer, agrees = false }] of Object.entries(bad)) {
    const { world, a, b } = await owing();
    const honest = await world.join();
    await b.start();
    b.answer = answer;
    a.wakeUps.owe(honest.name);
    await world.pass(2 * OWED_BACK_OFF.firstMs);
    t.match(a.woken, [{ by: honest.name }], `one that ${manner}`);
    t.equal(a.stats.wakeUpsAsked > 1, agrees);
    b.answer = undefined;
    await world.passUntil(() => a.woken.length === 2, WAKE_TIMEOUT_MS + 4 * OWED_BACK_OFF.firstMs);
  }
});

t.test("a server that never returns is given up thirty days after the homeserver last asked for it", async (t) => {
  const { world, a, b } = await owing();
  world.wallAheadMs += OWED_FOR_MS - 60_000;
  a.wakeUps.owe(b.name);
  world.wallAheadMs += OWED_FOR_MS - 3_600_000;
  await world.pass(FIVE_MINUTES_MS, 1_000);
  t.equal(a.stats.wakeUpsGivenUp, 0, "asked for again, it counts anew");
  t.equal(a.kept.owed.length, 1);
  world.wallAheadMs += 3_600_000;
  await world.pass(2 * FIVE_MINUTES_MS, 1_000);
  t.equal(a.stats.wakeUpsGivenUp, 1);
  const searches = a.node.searches;
  await world.pass(2 * FIVE_MINUTES_MS, 1_000);
  t.equal(a.node.searches, searches);
  t.same(a.kept.owed, []);
});

t.test("what was owed by a clock far ahead is given up in its time all the same", async (t) => {
  const { world, a } = await owing();
  world.wallAheadMs += 100 * OWED_FOR_MS;
  a.wakeUps.owe(inventName());
  await world.pass(2_000);
  a.stop();
  world.wallAheadMs -= 100 * OWED_FOR_MS;
  await a.start();
  t.equal(a.kept.owed.length, 2);
  world.wallAheadMs += OWED_FOR_MS;
  await world.pass(FIVE_MINUTES_MS, 1_000);
  t.equal(a.stats.wakeUpsGivenUp, 2);
  t.same(a.kept.owed, []);
});

t.test("where too many owe, no more are promised; those that do are all looked for within five minutes", async (t) => {
  const world = new WakingWorld();
  const a = await world.join();
  const names = Array.from({ length: OWED_MAX }, inventName);
  for (const name of names) t.equal(a.wakeUps.owe(name), true);
  const more = await world.join();
  t.equal(a.wakeUps.owe(more.name), false);
  t.equal(a.wakeUps.owe(names[0]!), true, "who owes already still does");
  t.equal(a.stats.wakeUpsNotOwed, 1);
  await world.pass(FIVE_MINUTES_MS, 1_000);
  t.ok(a.node.searches >= OWED_MAX);
  t.ok(a.node.searches <= FIVE_MINUTES_MS / WAKE_GAP_MS, "five a second at most");
  a.wakeUps.handlePaid(names[0]!);
  t.equal(a.wakeUps.owe(more.name), true, "an honest one has the room of one that paid");
  await world.passUntil(() => a.woken.length > 0, FIVE_MINUTES_MS);
});

t.test("nobody but the homeserver makes the node look for others", async (t) => {
  const world = new WakingWorld();
  const a = await world.join();
  for (let i = 0; i < 2_000; i++) {
    const name = inventName();
    a.wakeUps.handleAsked(name);
    a.wakeUps.handleBack(name);
    a.wakeUps.noteContact(name);
    a.wakeUps.handlePaid(name);
  }
  await world.pass(60_000);
  t.equal(a.node.searches, 0);
  t.same(a.kept.owed, []);
});

t.test("a server that returns wakes those it had to do with, within seconds, and they need not ask", async (t) => {
  const { world, a, b } = await owing();
  b.kept = { recent: [a.name], owed: [] };
  await world.pass(120_000, 1_000);
  await b.start();
  b.wakeUps.handleConnected();
  await world.passUntil(() => a.woken.length > 0, WAKE_JITTER_MS + 200);
  await world.pass(FIVE_MINUTES_MS, 1_000);
  t.equal(b.askedMs.length, 0);
  t.equal(a.woken.length, 1);
});

t.test("recent peers are woken one after the other, the latest first, and so many at most", async (t) => {
  const woken: { name: string; atMs: number }[] = [];
  const world = new WakingWorld();
  const sendSigned = async (name: string) => woken.push({ name, atMs: world.timers.nowMs() }) > 0;
  const a = await world.join({ sendSigned });
  const names = Array.from({ length: RECENT_PEERS_MAX + 50 }, inventName);
  for (const name of names) a.wakeUps.noteContact(name);
  a.wakeUps.noteContact(names[60]!);
  t.equal(a.stats.recentPeerEvictions, 50);
  a.wakeUps.handleConnected();
  await world.pass(60_000);
  const expected = [
    names[60]!,
    ...names
      .slice(50)
      .filter((name) => name !== names[60])
      .toReversed(),
  ];
  t.same(
    woken.map(({ name }) => name),
    expected,
  );
  t.equal(a.stats.wakeUpsSent, RECENT_PEERS_MAX);
  const gapsMs = woken.slice(1).map(({ atMs }, i) => Math.round(atMs - woken[i]!.atMs));
  t.ok(Math.min(...gapsMs) >= WAKE_GAP_MS);
});

t.test("who was woken is not woken again at once, however often the only link comes and goes", async (t) => {
  const world = new WakingWorld();
  const [a, b] = [await world.join(), await world.join()];
  a.wakeUps.noteContact(b.name);
  for (let i = 0; i < 100; i++) {
    a.wakeUps.handleConnected();
    await world.pass(1_000);
  }
  t.ok(b.woken.length >= 2 && b.woken.length <= 4, `${b.woken.length} times in 100 s`);
  for (const [i, { atMs }] of b.woken.slice(1).entries()) t.ok(atMs - b.woken[i]!.atMs >= WOKEN_FOR_MS);
  t.ok(a.stats.wakeUpsHeld > 0);
});

t.test("a wake-up that does not arrive, as the first link comes before the routes, goes again", async (t) => {
  const world = new WakingWorld();
  let tries = 0;
  const a = await world.join({
    sendSigned: async () => {
      tries++;
      if (tries === 1) return false;
      if (tries === 2) throw new Error("no route");
      return true;
    },
  });
  a.wakeUps.noteContact(inventName());
  a.wakeUps.handleConnected();
  const tookMs = await world.passUntil(() => a.stats.wakeUpsSent > 0, 60_000);
  t.ok(tookMs <= 9_000, `${tookMs} ms`);
  await world.pass(60_000);
  t.equal(tries, 3);
});

t.test("a recent peer that is not there is not waited for", async (t) => {
  const world = new WakingWorld();
  let tries = 0;
  const a = await world.join({
    sendSigned: async () => {
      tries++;
      return false;
    },
  });
  a.wakeUps.noteContact(inventName());
  a.wakeUps.handleConnected();
  await world.pass(600_000, 1_000);
  t.equal(tries, WAKE_TRIES_MAX);
  t.equal(a.stats.wakeUpsSent, 0);
});
