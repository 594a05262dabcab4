import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingHttpStatusHeader } from "node:http2";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import {
  ASKED_JITTER_MS,
  AWAY_BACK_OFF,
  OUTAGE_MS,
  OWED_BACK_OFF,
  OWED_MAX,
  WAKE_JITTER_MS,
} from "../../src/federation/config.js";
import { WAKE_PATH } from "../../src/federation/paths.js";
import { VirtualTimers } from "../link/timers.js";
import { until } from "../link/until.js";
import { TestNetwork } from "./network.js";
import { ask, codeOf, startServer, type TestServer, unique } from "./server.js";
import { inventName } from "./waking.js";

const SEND = "/_matrix/federation/v1/send/";
const PROFILE = "/_matrix/federation/v1/query/profile?user_id=%40u%3Ax";

async function pair(t: Test, fastRetries: boolean) {
  const timers = new VirtualTimers();
  const network = new TestNetwork();
  const a = await startServer(t, network, { timers, fastRetries });
  const b = await startServer(t, network, { timers, fastRetries });
  return { timers, network, a, b };
}

/** A transaction, as a homeserver sends it. */
function send(from: TestServer, to: string) {
  return ask(from, to, { method: "PUT", path: `${SEND}${unique()}`, body: { origin: from.name, pdus: [], edus: [] } });
}

/** Sends as a homeserver does that tries again each minute, until so much time has passed; gives what it was answered. */
async function retry(timers: VirtualTimers, from: TestServer, to: string, forMs: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let atMs = 0; atMs <= forMs; atMs += 60_000) {
    statuses.push((await send(from, to)).status);
    if (atMs < forMs) timers.advance(60_000);
  }
  return statuses;
}

/** Asks the node of a server for a wake-up, as another node; gives the status of its answer. */
async function askForWakeUp(from: TestServer, to: TestServer): Promise<number | undefined> {
  const remote = await from.node.connect(to.node.key);
  const request = remote.request({ ":method": "POST", ":authority": to.name, ":path": WAKE_PATH }, { endStream: true });
  const [headers] = (await once(request, "response")) as [IncomingHttpHeaders & IncomingHttpStatusHeader];
  request.resume();
  return headers[":status"];
}

/** Lets time pass until something holds. */
function passUntil(timers: VirtualTimers, what: string, holds: () => boolean): Promise<void> {
  return until(what, holds, async () => {
    timers.advance(100);
    await new Promise((resolve) => setTimeout(resolve, 2));
  });
}

const wakeUpsOf = ({ asked }: TestServer, by: TestServer) =>
  asked.filter(({ method, url, headers }) => {
    return method === "PUT" && url?.startsWith(SEND) && headers.authorization?.includes(`origin="${by.name}"`);
  });

t.test("a homeserver that retries fast is told 502 however long the destination is away", async (t) => {
  const { timers, a, b } = await pair(t, true);
  b.node.leave();
  t.same(await retry(timers, a, b.name, 3 * OUTAGE_MS), Array(7).fill(502));
  b.node.isOnline = true;
  timers.advance(AWAY_BACK_OFF.maxMs);
  t.equal((await send(a, b.name)).status, 200);
});

t.test(
  "a homeserver with settings of its own is told 404 for a transaction after two minutes, and else 502",
  async (t) => {
    const { timers, a, b } = await pair(t, false);
    b.node.leave();
    t.same(await retry(timers, a, b.name, OUTAGE_MS), [502, 502, 404]);
    const answer = await send(a, b.name);
    t.same([answer.status, codeOf(answer)], [404, "PINYON_UNREACHABLE"]);
    for (const asking of [
      { path: PROFILE },
      { path: "/_matrix/federation/v1/state/x" },
      { path: "/_matrix/key/v2/server" },
    ]) {
      const other = await ask(a, b.name, asking);
      t.same([other.status, codeOf(other)], [502, "PINYON_UNREACHABLE"], asking.path);
    }
  },
);

t.test("a hiccup gets no 404, nor do two of them", async (t) => {
  const { timers, a, b } = await pair(t, false);
  for (let i = 0; i < 2; i++) {
    b.node.leave();
    t.equal((await send(a, b.name)).status, 502);
    b.node.isOnline = true;
    timers.advance(OUTAGE_MS);
    t.equal((await send(a, b.name)).status, 200);
  }
});

t.test("after a 404 the node finds the destination by itself, and has it wake the homeserver", async (t) => {
  const { timers, a, b } = await pair(t, false);
  b.node.leave();
  t.same(await retry(timers, a, b.name, OUTAGE_MS), [502, 502, 404]);
  b.node.isOnline = true;
  await passUntil(timers, "a signed transaction from it", () => wakeUpsOf(a, b).length > 0);
  await until("which is answered", () => a.federation.stats.inboundAnswers > 0);
  t.match(wakeUpsOf(a, b)[0]?.headers.authorization, `destination="${a.name}"`);
  t.equal((await send(a, b.name)).status, 200, "and what it held is let through at once");
  const searches = a.node.searches;
  timers.advance(2 * OWED_BACK_OFF.maxMs);
  t.equal(a.node.searches, searches, "nothing is owed any more");
  await until("both nodes count it", () => {
    return a.federation.stats.wakeUpsAsked === 1 && b.federation.stats.wakeUpsSent === 1;
  });
});

t.test("a homeserver that delivers by itself after a 404 needs no wake-up any more", async (t) => {
  const { timers, a, b } = await pair(t, false);
  b.node.leave();
  t.same(await retry(timers, a, b.name, OUTAGE_MS), [502, 502, 404]);
  b.node.isOnline = true;
  timers.advance(OWED_BACK_OFF.firstMs / 3);
  t.equal((await send(a, b.name)).status, 200);
  await until("it is counted", () => a.federation.stats.outboundAnswers > 0);
  const { searches } = a.node;
  timers.advance(2 * OWED_BACK_OFF.maxMs);
  t.equal(a.node.searches, searches);
});

t.test("a server that returns wakes those it had to do with, by which the next request reaches it", async (t) => {
  const { timers, a, b } = await pair(t, true);
  t.equal((await send(a, b.name)).status, 200);
  b.node.leave();
  await retry(timers, a, b.name, 10 * 60_000);
  const { searches } = a.node;
  t.equal((await send(a, b.name)).status, 502);
  t.equal(a.node.searches, searches, "it is known to be away: nobody searches");
  b.node.isOnline = true;
  b.federation.handleConnected();
  timers.advance(WAKE_JITTER_MS);
  await until("it wakes the other", () => wakeUpsOf(a, b).length > 0);
  await until("which is answered", () => b.federation.stats.wakeUpsSent > 0);
  t.equal((await send(a, b.name)).status, 200);
});

t.test("a server whose session ends under a request is away, and the next request is told so at once", async (t) => {
  const timers = new VirtualTimers();
  const network = new TestNetwork();
  const a = await startServer(t, network, { timers });
  const b = await startServer(t, network, { timers, answers: { [SEND]: () => b.node.leave() } });
  const answer = await send(a, b.name);
  t.same([answer.status, codeOf(answer)], [502, "PINYON_UNREACHABLE"]);
  const { searches } = a.node;
  t.equal((await send(a, b.name)).status, 502);
  t.equal(a.node.searches, searches);
});

t.test("a hundred requests to a server that is away cost one search, not a hundred", async (t) => {
  const { timers, a, b } = await pair(t, true);
  b.node.leave();
  t.equal((await send(a, b.name)).status, 502);
  timers.advance(AWAY_BACK_OFF.maxMs);
  const { searches } = a.node;
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask(a, b.name, { path: PROFILE })));
  t.ok(answers.every(({ status }) => status === 502));
  t.equal(a.node.searches, searches + 1);
  t.ok(a.federation.stats.awayAnswers >= 99);
});

t.test("where too many owe, 502 is told in place of 404, and a server that is there is served", async (t) => {
  const timers = new VirtualTimers();
  const network = new TestNetwork();
  const owed = Array.from({ length: OWED_MAX }, () => ({ name: inventName(), toldWallMs: Date.now() }));
  const a = await startServer(t, network, { timers, fastRetries: false, wakeUps: { recent: [], owed } });
  const b = await startServer(t, network);
  t.same(await retry(timers, a, inventName(), OUTAGE_MS), [502, 502, 502]);
  t.equal(a.federation.stats.wakeUpsNotOwed, 1);
  t.same(await retry(timers, a, owed[0]!.name, OUTAGE_MS), [502, 502, 404], "who owes already still does");
  t.equal((await send(a, b.name)).status, 200);
});

t.test("a node that asks for wake-ups all the time gets one, and requests are served meanwhile", async (t) => {
  const { timers, network, a, b } = await pair(t, true);
  const hostile = await startServer(t, network, { timers });
  const statuses: (number | undefined)[] = [];
  for (let i = 0; i < 50; i++) statuses.push(await askForWakeUp(hostile, a));
  t.same(statuses, [202, ...Array(49).fill(429)]);
  t.equal(a.federation.stats.wakeUpsHeld, 49);
  t.equal((await send(b, a.name)).status, 200);
  timers.advance(1_000);
  await until("it is woken", () => wakeUpsOf(hostile, a).length > 0);
  t.equal(wakeUpsOf(hostile, a).length, 1);
});

t.test("a node that asks for a wake-up is there, whatever was known of it", async (t) => {
  const { timers, a, b } = await pair(t, true);
  a.node.leave();
  t.equal((await send(b, a.name)).status, 502);
  a.node.isOnline = true;
  t.equal(await askForWakeUp(a, b), 202);
  timers.advance(ASKED_JITTER_MS);
  await until("it is woken", () => wakeUpsOf(a, b).length > 0);
});

t.test(
  "a node says nothing for a homeserver that is down, and tells those it had to do with when it is back",
  async (t) => {
    const { timers, a, b } = await pair(t, true);
    t.equal((await send(b, a.name)).status, 200);
    const { port } = b.homeserver.address() as AddressInfo;
    b.homeserver.close().closeAllConnections();
    t.equal(await askForWakeUp(a, b), 202);
    timers.advance(ASKED_JITTER_MS);
    t.equal((await send(a, b.name)).status, 502);
    t.equal(wakeUpsOf(a, b).length, 1, "only what the homeserver sent");
    b.homeserver.listen(port, "127.0.0.1");
    await once(b.homeserver, "listening");
    await passUntil(timers, "its node wakes the other", () => wakeUpsOf(a, b).length > 1);
    t.equal((await send(a, b.name)).status, 200);
  },
);
