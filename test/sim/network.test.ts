import t from "tap";
import { type Graph, grid, line, randomConnected, ring, ringWithChord } from "../../sim/graphs.js";
import { Network } from "../../sim/network.js";
import { Random } from "../../sim/random.js";
import { Traffic } from "../../sim/traffic.js";
import { portableCrypto } from "../../src/crypto/portable.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { equalBytes, toHex } from "../../src/wire/bytes.js";

const crypto = nativeCrypto();

/** Pairs of nodes that fail to ping each other in time, all at once. */
function pairsThatFail(network: Network, nodes: readonly number[], withinMs: number): string[] {
  const questions = nodes.flatMap((from) =>
    nodes.map((to) => ({ from, to, question: network.ask("ping", from, network.key(to)) })),
  );
  network.runUntil(() => questions.every(({ question }) => question.answer !== undefined), withinMs);
  return questions.filter(({ question }) => question.answer?.ok !== true).map(({ from, to }) => `${from} to ${to}`);
}

const indexOf = (network: Network, key: Uint8Array) => network.hosts.findIndex((host) => equalBytes(host.key, key));
const allOf = (graph: Graph) => Array.from({ length: graph.nodes }, (_, index) => index);

for (const [name, graph] of Object.entries({
  "five nodes in a line": line(5),
  "five nodes in a ring with a chord": ringWithChord(5),
  "a grid of 6 by 6": grid(6, 6),
  "fifty nodes at random": randomConnected(50, 50, new Random(1)),
})) {
  t.test(`${name}: all ping and trace each other within three seconds of the start`, async (t) => {
    const network = new Network({ seed: 1, graph, crypto });
    network.run(1_500);
    t.same(pairsThatFail(network, allOf(graph), 1_500), []);
    t.ok(network.nowMs <= 3_000);
    const last = graph.nodes - 1;
    const trace = network.askNow("trace", 0, network.key(last), 1_000)!;
    t.ok(trace.ok);
    const passed = [0, ...trace.hops.map((hop) => indexOf(network, hop!.key))];
    t.equal(passed.at(-1), last);
    const isEdge = (a: number, b: number) => graph.edges.some(([x, y]) => (x === a && y === b) || (x === b && y === a));
    for (let i = 1; i < passed.length; i++)
      t.ok(isEdge(passed[i - 1]!, passed[i]!), `${passed[i - 1]} to ${passed[i]}`);
    for (const [i, hop] of trace.hops.entries()) t.equal(Math.round(hop!.rttMs / 20), i + 1, "10 ms a hop and way");
  });
}

t.test("a look-up gives locator, route and round trip; a key that nobody has is not found", async (t) => {
  const network = new Network({ seed: 1, graph: line(4), crypto });
  network.run(2_000);
  const found = network.askNow("lookup", 0, network.key(3), 3_000)!;
  t.match(found, { ok: true, reason: undefined });
  t.equal(found.route.length, 3);
  t.ok(found.locator!.length > 6 && found.rttMs >= 60);
  const nobody = network.askNow("lookup", 0, new Uint8Array(32).fill(9), 6_000)!;
  t.match(nobody, { ok: false, reason: "no way to the key was found", locator: undefined });
  t.match(network.askNow("ping", 0, network.key(0), 0), { ok: true, hops: 0, rttMs: 0 }, "itself");
});

t.test("the same seed gives the same run, to the last byte; another seed another", async (t) => {
  const hashOf = (seed: number) => {
    const network = new Network({ seed, graph: ringWithChord(8), crypto, link: { loss: [1, 50] } });
    network.run(2_000);
    const flow = new Traffic(network).send(0, 3, 200_000);
    network.crash(1);
    network.run(2_000);
    network.restart(1);
    network.runUntil(() => flow.isDone, 20_000);
    return `${network.hash} ${network.hash.count}`;
  };
  t.equal(hashOf(1), hashOf(1));
  t.not(hashOf(1), hashOf(2));
});

t.test("the run does not depend on which set of crypto is used", async (t) => {
  const hashOf = (set: typeof crypto) => {
    const network = new Network({ seed: 1, graph: line(3), crypto: set });
    network.run(2_000);
    const flow = new Traffic(network).send(0, 2, 20_000);
    network.runUntil(() => flow.isDone, 5_000);
    return String(network.hash);
  };
  t.equal(hashOf(portableCrypto), hashOf(crypto));
});

t.test("a large stream passes three relays; each takes no more than its queue holds", async (t) => {
  const network = new Network({ seed: 1, graph: line(5), crypto, link: { bytesPerMs: 2_000 } });
  network.run(2_000);
  const flow = new Traffic(network).send(0, 4, 5_000_000);
  const startMs = network.nowMs;
  t.ok(network.runUntil(() => flow.isDone, 10_000));
  t.notOk(flow.isCorrupt);
  const rate = flow.sizeBytes / (network.nowMs - startMs);
  t.ok(rate > 1_200, `${Math.round(rate)} bytes/ms of 2,000`);
});

t.test("a relay counts the DATA frames that it sends on, the receiver those for it", async (t) => {
  const network = new Network({ seed: 1, graph: line(3), crypto });
  network.run(2_000);
  const flow = new Traffic(network).send(0, 2, 100_000);
  t.ok(network.runUntil(() => flow.isDone, 10_000));
  network.run(1_000);
  const [sender, relay, receiver] = network.hosts.map(({ node }) => node!.router.stats);
  t.equal(sender!.forwarded, receiver!.delivered);
  t.equal(receiver!.forwarded, sender!.delivered);
  t.equal(relay!.forwarded, sender!.delivered + receiver!.delivered);
  t.ok(receiver!.delivered > 5 && relay!.delivered === 0);
});

t.test(
  "a relay killed in mid-stream where another way exists costs no byte, and less than four seconds but in one case of twelve",
  async (t) => {
    const pausesMs: number[] = [];
    for (const how of ["kill", "stop", "power off"]) {
      for (const seed of [1, 2, 3, 4]) {
        const network = new Network({ seed, graph: ring(6), crypto, link: { bytesPerMs: 1_000 } });
        network.run(3_000);
        const flow = new Traffic(network).send(0, 3, 2_000_000);
        network.runUntil(() => flow.receivedBytes > 500_000, 5_000);
        const first = network.node(0).router.route(network.key(3))!.ports[0]!;
        const relay = indexOf(
          network,
          network
            .node(0)
            .status()
            .links.find(({ port }) => port === first)!.key,
        );
        if (how === "stop") network.stop(relay);
        else network.crash(relay, how === "power off");
        network.runUntil(() => flow.isDone || flow.isBroken, 30_000);
        t.ok(flow.isDone && !flow.isCorrupt, `${how}, seed ${seed}`);
        t.ok(flow.pauseMs < 6_000, `${how}, seed ${seed}: a pause of ${Math.round(flow.pauseMs)} ms`);
        pausesMs.push(flow.pauseMs);
      }
    }
    t.ok(pausesMs.filter((pauseMs) => pauseMs >= 4_000).length <= 1);
  },
);

t.test(
  "a session that was answered outlives a cut that follows at once and lasts longer than a handshake may take",
  async (t) => {
    const network = new Network({ seed: 1, graph: line(3), crypto });
    network.run(3_000);
    const flow = new Traffic(network).send(0, 2, 10_000);
    t.ok(network.runUntil(() => flow.isEstablished, 5_000));
    network.crash(1);
    network.run(12_000);
    network.restart(1);
    network.runUntil(() => flow.isDone || flow.isBroken, 20_000);
    t.ok(flow.isDone && !flow.isCorrupt, flow.reason);
  },
);

t.test("first contacts go on when the best root of a tree is killed or stopped", async (t) => {
  for (const how of ["kill", "stop"]) {
    for (const seed of [1, 2, 3]) {
      const graph = randomConnected(20, 30, new Random(seed));
      const network = new Network({ seed, graph, crypto });
      network.run(3_000);
      const root = indexOf(network, network.node(0).status().trees[0]!.root!);
      if (how === "stop") network.stop(root);
      else network.crash(root);
      network.run(100);
      const others = reachable(graph, root);
      t.ok(others.length > 10);
      const failed = pairsThatFail(network, others, 4_000);
      // A stopped root, silent as it is, is still somebody's parent in the other trees until its links are found dead.
      if (how === "stop")
        t.ok(failed.length < 0.35 * others.length ** 2, `stop, seed ${seed}: ${failed.length} fail at once`);
      else t.same(failed, [], `kill, seed ${seed}`);
      // By then each of its neighbours has pinged it in vain: 5 s until the next ping, and 3 s.
      network.run(4_000);
      t.same(pairsThatFail(network, others, 3_000), [], `${how}, seed ${seed}, eight seconds later`);
    }
  }
});

/** The largest part of a graph that is left without one node. */
function reachable(graph: Graph, without: number): number[] {
  let largest: number[] = [];
  for (const start of allOf(graph)) {
    if (start === without || largest.includes(start)) continue;
    const part = new Set([start]);
    for (const at of part) {
      for (const [a, b] of graph.edges) {
        const other = a === at ? b : b === at ? a : without;
        if (other !== without) part.add(other);
      }
    }
    if (part.size > largest.length) largest = [...part];
  }
  return largest;
}

t.test("a cut network works in both halves, and is one again soon after it is healed", async (t) => {
  const network = new Network({ seed: 5, graph: grid(4, 4), crypto });
  network.run(3_000);
  const edges = network.graph.edges.filter(([a, b]) => a % 4 < 2 !== b % 4 < 2);
  for (const [a, b] of edges) network.cut(a, b);
  network.run(30_000);
  const [left, right] = [allOf(network.graph).filter((i) => i % 4 < 2), allOf(network.graph).filter((i) => i % 4 >= 2)];
  t.same(pairsThatFail(network, left, 3_000), []);
  t.same(pairsThatFail(network, right, 3_000), []);
  t.match(network.askNow("ping", left[0]!, network.key(right[0]!), 6_000), { ok: false });
  network.heal(...edges[0]!);
  network.run(8_000);
  t.same(pairsThatFail(network, allOf(network.graph), 3_000), []);
});

t.test("a link that is cut one way only is given up by both ends, and made anew when it is whole", async (t) => {
  const network = new Network({ seed: 5, graph: ring(4), crypto });
  network.run(3_000);
  network.cut(0, 1, false);
  network.run(10_000);
  const isPeer = (a: number, b: number) =>
    network
      .node(a)
      .status()
      .links.some(({ key }) => toHex(key) === toHex(network.key(b)));
  t.notOk(isPeer(0, 1) || isPeer(1, 0));
  t.ok(network.pings(0, 1), "the other way round");
  network.heal(0, 1);
  network.run(5_000);
  t.ok(isPeer(0, 1) && isPeer(1, 0));
});

t.test("a machine that lost power replaces the half-dead links that it dials; the others are found dead", async (t) => {
  const network = new Network({ seed: 6, graph: line(3), crypto });
  network.run(3_000);
  network.crash(1, true);
  network.run(500);
  network.restart(1);
  t.ok(network.runUntil(() => network.isLinked(), 9_000));
  const peersOf2 = network.node(2).status().links;
  t.ok(peersOf2.length === 1 && peersOf2[0]!.upMs < 6_000, "1 dials 2, which takes the newer link at once");
  t.ok(network.node(0).status().links[0]!.upMs > 6_000, "0 dials 1, once it has found its link dead");
  network.run(1_000);
  t.ok(network.pings(0, 2));
});

t.test("an idle network wakes rarely", async (t) => {
  const network = new Network({ seed: 7, graph: randomConnected(20, 20, new Random(7)), crypto });
  network.run(10_000);
  const before = network.hash.count;
  network.run(60_000);
  const perNodeAndSecond = (network.hash.count - before) / 20 / 60;
  t.ok(perNodeAndSecond < 2, `${perNodeAndSecond.toFixed(2)} messages a node and second`);
});

t.test("an idle leaf wakes at most sixty times an hour", async (t) => {
  const node = (index: number) => ({ leaf: index === 2 });
  const network = new Network({ seed: 7, graph: line(3), crypto, node });
  network.run(60_000);
  const before = network.hosts[2]!.wakes;
  network.run(3_600_000);
  const wakes = network.hosts[2]!.wakes - before;
  t.ok(wakes <= 60, `${wakes} times`);
});
