import t from "tap";
import { randomConnected } from "../../sim/graphs.js";
import { Network } from "../../sim/network.js";
import { Random } from "../../sim/random.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import type { Session } from "../../src/session/session.js";
import { encodeRecord } from "../../src/wire/ball.js";
import { encodeBall, encodeWant } from "../../src/wire/note.js";

const graph = randomConnected(40, 40, new Random(3));

/** Hops of the shortest way between two nodes. */
function hopsBetween(from: number, to: number): number {
  let at = new Set([from]);
  for (let hops = 0; ; hops++) {
    if (at.has(to)) return hops;
    const next = graph.edges.flatMap(([a, b]) => [...(at.has(a) ? [b] : []), ...(at.has(b) ? [a] : [])]);
    at = new Set([...at, ...next]);
  }
}

function connected(network: Network, from: number, to: number): Session {
  return network.hosts[from]!.act((node, nowMs) => node.connect(network.key(to), nowMs))!;
}

t.test("sessions exchange balls: their routes become the shortest, with a spare that shares no node", async (t) => {
  const network = new Network({ seed: 1, graph, crypto: nativeCrypto() });
  network.run(5_000);
  const pairs = Array.from({ length: 20 }, (_, i) => [i, 39 - i] as const);
  for (const [from, to] of pairs) connected(network, from, to);
  network.run(5_000);
  let disjoint = 0;
  for (const [a, b] of pairs)
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const { paths } = network.node(from).router;
      const route = paths.route(network.key(to))!;
      t.equal(route.ports.length, hopsBetween(from, to), `${from} to ${to}`);
      const spare = paths.spare(network.key(to));
      const shared = spare && paths.balls.sharedNodes(route.ports, spare.ports);
      if (shared === 0) disjoint++;
    }
  t.ok(disjoint >= 32, `${disjoint} of 40 have a spare that shares no node`);
  const { balls, stats } = network.node(0).router.paths;
  t.ok(balls.map.size < 40);
  t.match(stats, { ballsBad: 0, notesIgnored: 0, ballsRefused: 0 });
});

t.test("without a session no ball is pulled", async (t) => {
  const network = new Network({ seed: 1, graph, crypto: nativeCrypto() });
  network.run(20_000);
  t.ok(network.hosts.every(({ node }) => node!.router.paths.stats.ballsAsked === 0));
});

t.test("a peer that asks without end gets a few balls, and notes that are none are ignored", async (t) => {
  const network = new Network({ seed: 1, graph, crypto: nativeCrypto() });
  network.run(5_000);
  const session = connected(network, 0, 20);
  network.run(3_000);
  const { stats } = network.node(20).router.paths;
  const sentBefore = network.node(20).status().counters.paths.ballsAsked;
  network.hosts[0]!.act((node, nowMs) => {
    for (let i = 0; i < 50; i++) session.note(encodeWant(65_535));
    session.note(Uint8Array.of(9, 9));
    node.handleSessionUse(nowMs);
  });
  network.run(3_000);
  t.ok(stats.notesIgnored >= 45, `${stats.notesIgnored} of 51 ignored`);
  t.ok(stats.ballsAsked - sentBefore <= 256);
  t.ok(network.pings(20, 0) && network.pings(7, 20));
});

t.test("a ball that nobody asked for is not taken, and no more of one than was asked for", async (t) => {
  const network = new Network({ seed: 1, graph, crypto: nativeCrypto() });
  network.run(5_000);
  const session = connected(network, 0, 20);
  network.run(3_000);
  const { balls, stats } = network.node(20).router.paths;
  const { size } = balls.map;
  network.hosts[0]!.act((node, nowMs) => {
    for (let i = 0; i < 60; i++) {
      const records = encodeRecord(Uint8Array.of(9, 9, i, 0, 0, 0, 0, 0), []);
      session.note(encodeBall([records])[0]!);
    }
    node.handleSessionUse(nowMs);
  });
  network.run(2_000);
  t.equal(balls.map.size, size);
  t.equal(stats.notesIgnored, 60);
  t.equal(balls.handleRecords(new Uint8Array(18), network.nowMs, 1), 1, "one of two");
});
