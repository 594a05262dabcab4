import t from "tap";
import { line, ring, ringWithChord } from "../../sim/graphs.js";
import { Network } from "../../sim/network.js";
import { Traffic } from "../../sim/traffic.js";
import type { NodeEvent } from "../../src/node/events.js";
import { LinkUse } from "../../src/node/keep-alive.js";
import { Node } from "../../src/node/node.js";
import { PATH_DEFAULTS } from "../../src/router/path-config.js";
import { SessionCode } from "../../src/session/codes.js";
import { toHex, utf8 } from "../../src/wire/bytes.js";
import { CloseCode } from "../../src/wire/codes.js";
import { crypto, identityOf } from "./hello-pair.js";

const options = (overrides: object = {}) => ({
  crypto,
  identity: identityOf(1),
  random: (sizeBytes: number) => new Uint8Array(sizeBytes),
  network: "test",
  storedEpoch: 0,
  wallMs: 0,
  ...overrides,
});

function eventsOf<T extends NodeEvent["type"]>(network: Network, type: T): Extract<NodeEvent, { type: T }>[] {
  const events: Extract<NodeEvent, { type: T }>[] = [];
  network.onEvent((_host, event) => {
    if (event.type === type) events.push(event as Extract<NodeEvent, { type: T }>);
  });
  return events;
}

t.test("a node refuses what only its own driver can get wrong", async (t) => {
  t.throws(() => new Node(options({ network: "n".repeat(65) }), 0), { message: /64 bytes/ });
  t.throws(() => new Node(options({ network: "a\0b" }), 0), RangeError);
  const node = new Node(options(), 1_000);
  t.throws(() => node.handleTimeout(999), { message: /time runs back/ });
  t.equal(node.connect(new Uint8Array(32), 1_000), undefined, "a key that is no point");
  t.equal(node.connect(node.key, 1_000), undefined, "its own key");
  node.handleMessage(77, new Uint8Array(3), 1_000);
  node.handleLinkClosed(77, 1_000);
  t.equal(node.pollTransmit(77, 1_000), undefined, "a link that was never opened");
});

t.test("a lone node has nothing to do but to be root, and says no more than what to keep", async (t) => {
  const node = new Node(options({ wallMs: 1_000_000 }), 0);
  node.handleTimeout(0);
  t.equal(node.pollReady(), -1);
  const events: unknown[] = [];
  for (let event = node.pollEvent(); event !== undefined; event = node.pollEvent()) events.push(event.type);
  t.same(events, ["root", "root", "root", "persist"]);
  t.ok(node.pollTimeout() >= 30_000, `the next timer is at ${node.pollTimeout()}`);
  t.same(
    node.status().trees.map(({ coordinates }) => coordinates?.length),
    [0, 0, 0],
  );
});

t.test("a session with a key that nobody has ends, with the reason, soon", async (t) => {
  const network = new Network({ seed: 1, graph: line(3), crypto });
  network.run(2_000);
  const closed = eventsOf(network, "closed");
  const session = network.hosts[0]!.act((node, nowMs) => node.connect(identityOf(9).publicKey, nowMs));
  t.ok(session);
  network.runUntil(() => closed.length > 0, 6_000);
  t.match(closed, [{ code: SessionCode.UNREACHABLE, reason: "no way to the peer was found" }]);
  t.same(network.node(0).status().sessions, []);
  network.run(20_000);
  t.equal(network.node(0).router.paths.stats.probesSent, 24, "and is not looked for any more");
});

t.test("a session asked for while its peer is away is established once it is there", async (t) => {
  const network = new Network({ seed: 1, graph: line(3), crypto });
  network.run(2_000);
  network.reset(1, 2);
  const flow = new Traffic(network).send(0, 2, 1_000);
  network.runUntil(() => flow.isDone || flow.isBroken, 5_000);
  t.ok(flow.isDone, "the link came back within the time of a search");
});

t.test("a session survives that all links are made anew, and goes another way meanwhile", async (t) => {
  const network = new Network({ seed: 2, graph: ringWithChord(6), crypto, link: { bytesPerMs: 500 } });
  network.run(2_000);
  const flow = new Traffic(network).send(0, 3, 3_000_000);
  for (const [a, b] of network.graph.edges) {
    network.run(600);
    network.reset(a, b);
  }
  network.runUntil(() => flow.isDone || flow.isBroken, 30_000);
  t.ok(flow.isDone && !flow.isCorrupt);
});

t.test("a private network carries sessions, and its secret keeps others out of links and sessions", async (t) => {
  const secret = utf8("between us");
  const network = new Network({
    seed: 3,
    graph: ring(4),
    crypto,
    node: (index) => ({ secret: index === 3 ? utf8("a guess") : secret }),
  });
  network.run(3_000);
  t.ok(network.pings(0, 2));
  const flow = new Traffic(network).send(0, 2, 50_000);
  t.ok(network.runUntil(() => flow.isDone, 3_000));
  t.equal(network.node(3).status().links.length, 0);
  t.ok(network.node(3).linkStats.closed[CloseCode.SECRET]! > 0, "told by the one that it dialled");
});

t.test("a leaf has no children and is no root, and is found and served like any node", async (t) => {
  const network = new Network({ seed: 4, graph: line(4), crypto, node: (index) => ({ leaf: index === 3 }) });
  network.run(3_000);
  t.ok(network.pings(0, 3) && network.pings(3, 0));
  const { links, trees } = network.node(3).status();
  t.ok(trees.every(({ tableSize, parentPort }) => tableSize === 0 && parentPort === links[0]!.port));
  t.equal(
    network
      .node(2)
      .status()
      .links.find(({ leaf }) => leaf)?.use,
    LinkUse.CHILD,
  );
});

t.test("only as many questions are open as the bound allows; the others are refused and counted", async (t) => {
  const network = new Network({ seed: 5, graph: line(2), crypto, config: { requestsMax: 3 } });
  network.run(1_000);
  const nobody = identityOf(9).publicKey;
  const asked = [1, 2, 3, 4].map(() => network.hosts[0]!.act((node, nowMs) => node.ping(nobody, nowMs)));
  t.same(asked, [1, 2, 3, 0]);
  t.match(network.node(0).status(), { requests: 3, requestsRefused: 1 });
  const answers = eventsOf(network, "ping");
  network.run(10_000);
  t.same(
    answers.map(({ request, ok }) => [request, ok]),
    [
      [1, false],
      [2, false],
      [3, false],
    ],
  );
  t.ok(network.pings(0, 1), "there is room again");
});

t.test("what a node keeps on disk serves it at the next start", async (t) => {
  const network = new Network({ seed: 6, graph: line(4), crypto });
  network.run(2_000);
  t.ok(network.pings(0, 3));
  const { disk } = network.hosts[0]!;
  t.ok(disk.epoch > 1_780_000_000_000);
  t.ok(disk.locators.has(toHex(network.key(3))));
  network.crash(0);
  network.run(1_000);
  network.restart(0);
  network.runUntil(() => network.isLinked(), 3_000);
  network.run(500);
  t.ok(network.pings(0, 3));
  t.equal(network.node(0).router.paths.stats.probesSent, 2, "by its locator at once, then measured");
});

t.test("a neighbour that stops is found dead and closed, and its links are made anew when it goes on", async (t) => {
  const network = new Network({ seed: 7, graph: line(3), crypto });
  network.run(3_000);
  const downs = eventsOf(network, "link-down");
  network.stop(1);
  network.run(10_000);
  t.same(
    downs.map(({ code, reason }) => [code, reason]),
    [
      [CloseCode.DEAD, "the peer did not answer a ping"],
      [CloseCode.DEAD, "the peer did not answer a ping"],
    ],
  );
  t.equal(network.node(0).linkStats.closed[CloseCode.DEAD], 1);
  network.resume(1);
  network.run(4_000);
  t.ok(network.isLinked() && network.pings(0, 2));
});

t.test("the status names links, trees and sessions", async (t) => {
  const network = new Network({ seed: 8, graph: line(3), crypto });
  network.run(2_000);
  const flow = new Traffic(network).send(0, 2, 1_000);
  network.runUntil(() => flow.isDone, 2_000);
  const status = network.node(0).status();
  t.match(status.links, [{ port: 1, dialled: true, key: network.key(1), leaf: false }]);
  t.equal(Math.round(status.links[0]!.rttMs), 20);
  t.match(status.sessions, [{ key: network.key(2), initiator: true }]);
  t.equal(status.sessions[0]!.route?.length, 2);
  const root = status.trees[0]!.root!;
  t.same(network.node(2).status().trees[0]!.root, root);
  t.equal(status.counters.links.established, 1);
});

t.test("a peer that never confirms a route gets no more than a handshake and a few packets", async (t) => {
  // Node 0 asks for a session and wants much, but answers no probe: for all node 2 knows, the way back leads to somebody else.
  const silent = { ...PATH_DEFAULTS, signBurst: 0 };
  const network = new Network({
    seed: 9,
    graph: line(3),
    crypto,
    node: (index) => ({ config: index === 0 ? { paths: silent } : { unprovedPackets: 4 } }),
  });
  network.run(2_000);
  network.onEvent((host, event) => {
    if (host.index !== 2 || event.type !== "established") return;
    event.session.write(1, new Uint8Array(1_000_000), network.nowMs);
    host.used();
  });
  new Traffic(network).send(0, 2, 2_000_000);
  network.run(5_000);
  const [session] = network.node(2).status().sessions;
  t.ok(session!.stats.packetsReceived > 10);
  t.ok(session!.stats.packetsSent <= 4, `${session!.stats.packetsSent} packets`);
});

t.test("a ping by a route that leads nowhere any more looks for another, and a trace too", async (t) => {
  const network = new Network({ seed: 1, graph: ring(6), crypto });
  network.run(2_000);
  t.ok(network.pings(0, 3));
  const relay = network.askNow("trace", 0, network.key(3), 3_000)!.hops[1]!.key;
  network.crash(network.hostOf(relay)!.index, true);
  network.run(4_000);
  const ping = network.askNow("ping", 0, network.key(3), 10_000);
  t.match(ping, { ok: true, hops: 3 });
  t.match(network.askNow("trace", 0, network.key(3), 10_000), { ok: true });
});
