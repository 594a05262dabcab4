import t from "tap";
import { SignTag, signedMessage } from "../../src/crypto/sign.js";
import { replyMessage } from "../../src/router/answers.js";
import { CloseCode, DropReason } from "../../src/wire/codes.js";
import { ROUTE_BROKEN } from "../../src/wire/control.js";
import { Kind } from "../../src/wire/kinds.js";
import { HOP_LIMIT, PROBE_REPLY_FACTOR_MAX, ROUTE_HOPS_MAX, TREE_DEPTH_MAX } from "../../src/wire/limits.js";
import { encodeLocator } from "../../src/wire/locator.js";
import {
  ANYONE,
  encodeProbe,
  PROBE_REPLY,
  ProbeMode,
  type ProbeReply,
  probeBytes,
  probeMode,
} from "../../src/wire/probe.js";
import { crypto, type Graph, grid, line, networkId, randomGraph, ring, StaticMesh, seeded } from "./static-mesh.js";

const graphs: [string, Graph][] = [
  ["a ring of 10", ring(10)],
  ["a grid of 4 × 4", grid(4, 4)],
  ["30 nodes at random", randomGraph(30, 25, seeded(7))],
];

function pairsOf(graph: Graph): [number, number][] {
  const numbers = Array.from({ length: graph.count }, (_, i) => i);
  return numbers.flatMap((from) => numbers.filter((to) => to !== from).map((to) => [from, to] as [number, number]));
}

/** Lets `from` look for `to` and gives the ports of the route that it found. */
function find(mesh: StaticMesh, from: number, to: number): Uint16Array | undefined {
  const node = mesh.nodes[from]!;
  node.paths.findRoute(mesh.key(to), undefined, mesh.nowMs);
  mesh.run(400);
  return node.paths.route(mesh.key(to))?.ports;
}

/** Counts the probes on the links, by mode. */
function countModes(mesh: StaticMesh): number[] {
  const counts = [0, 0, 0];
  mesh.onFrame = (frame) => {
    if (frame[1] === Kind.PROBE) counts[probeMode(frame)]!++;
    return frame;
  };
  return counts;
}

for (const [name, graph] of graphs) {
  t.test(`every pair finds a route by KEY, which carries data there: ${name}`, async (t) => {
    const mesh = new StaticMesh(graph);
    for (const [from, to] of pairsOf(graph)) {
      const ports = find(mesh, from, to);
      if (ports === undefined || mesh.end(from, ports) !== to) t.fail(`${from} does not find ${to}`);
      mesh.send(from, to, ports!);
    }
    mesh.settle();
    t.ok(mesh.nodes.every((node) => node.delivered.length === graph.count - 1));
    t.equal(mesh.drops(DropReason.NO_WAY), 0);
  });

  t.test(`every pair finds a route by a known locator, with no probe by KEY: ${name}`, async (t) => {
    const mesh = new StaticMesh(graph);
    const counts = countModes(mesh);
    for (const [from, to] of pairsOf(graph)) {
      const { paths } = mesh.nodes[from]!;
      t.ok(paths.handleLocator(mesh.key(to), mesh.nodes[to]!.locator()));
      const ports = find(mesh, from, to);
      if (ports === undefined || mesh.end(from, ports) !== to) t.fail(`${from} does not find ${to}`);
    }
    t.equal(counts[ProbeMode.KEY], 0);
    t.equal(mesh.drops(DropReason.NOT_NEARER), 0);
  });

  t.test(`a KEY probe pinned to a tree finds the key in that tree alone: ${name}`, async (t) => {
    for (let pinned = 0; pinned < 3; pinned++) {
      const mesh = new StaticMesh(graph);
      for (const node of mesh.nodes)
        for (let tree = 0; tree < 3; tree++) if (tree !== pinned) node.trees[tree]!.position = undefined;
      for (const [from, to] of pairsOf(graph)) if (find(mesh, from, to) === undefined) t.fail(`${from} to ${to}`);
    }
  });
}

t.test("a source route is confirmed by its target, and names whoever is at its end", async (t) => {
  const mesh = new StaticMesh(line(5));
  const { paths, events } = mesh.nodes[0]!;
  const route = Uint16Array.from(mesh.route(0, 1, 2, 3));
  const requests = [
    paths.probeRoute(route, mesh.key(3), 0, 0),
    paths.probeRoute(route.slice(0, 2), ANYONE, 0, 0),
    paths.probeRoute(route, mesh.key(4), 0, 0),
    paths.probeRoute(Uint16Array.of(...route.slice(0, 2), 99), mesh.key(3), 0, 0),
    paths.probeRoute(Uint16Array.of(route[0]!, mesh.portTo(1, 0)), ANYONE, 0, 0),
  ];
  t.equal(paths.probeRoute(new Uint16Array(0), ANYONE, 0, 0), 0);
  mesh.run(4_000);
  const answers = requests.map((request) =>
    events.find((event) => event.type === "probed" && event.request === request),
  );
  const rttMs = 2 * [0, 1, 2].reduce((sum, i) => sum + mesh.wires[i]!.get(route[i]!)!.delayMs, 0);
  t.match(answers[0], { answer: { key: mesh.key(3), rttMs } });
  t.match(answers[1], { answer: { key: mesh.key(2) } });
  for (const event of answers.slice(2)) t.match(event, { answer: undefined });
  t.equal(mesh.drops(DropReason.WRONG_NODE), 3, "each try");
  t.equal(mesh.drops(DropReason.NO_LINK), 3);
  t.equal(mesh.drops(DropReason.IN_EQUALS_OUT), 3);
});

t.test("a probe to a stale locator ends, and the key is found by KEY", async (t) => {
  const mesh = new StaticMesh(grid(5, 5), { roots: [0, 0, 0] });
  const target = mesh.nodes[24]!;
  const bytes = encodeLocator(9, [mesh.nodes[4]!.trees[0]!.position, undefined, undefined]);
  const signature = crypto.sign(signedMessage(SignTag.LOCATOR, networkId, bytes), target.identity);
  t.ok(mesh.nodes[20]!.paths.handleLocator(target.key, { bytes, signature }));
  mesh.nodes[20]!.paths.findRoute(target.key, undefined, 0);
  mesh.run(400);
  t.equal(mesh.drops(DropReason.NOT_NEARER), 1);
  mesh.run(400);
  t.equal(mesh.nodes[20]!.paths.route(target.key)?.isConfirmed, true);
});

t.test("a TREE probe that shares no root with its target goes on by KEY", async (t) => {
  const mesh = new StaticMesh(grid(4, 4));
  const counts = countModes(mesh);
  const { paths } = mesh.nodes[0]!;
  paths.handleLocator(mesh.key(15), mesh.nodes[15]!.locator());
  for (let tree = 0; tree < 3; tree++) mesh.plant(tree, 5);
  t.equal(mesh.end(0, find(mesh, 0, 15)!), 15);
  t.equal(counts[ProbeMode.TREE], 0);
  t.equal(paths.stats.probesSent, 1);
});

t.test("a leaf is no relay of a TREE probe", async (t) => {
  const links: [number, number][] = [[0, 1], [1, 2], [0, 3], [3, 4], [4, 2], [1, 5]]; // biome-ignore format: one line
  const mesh = new StaticMesh({ count: 6, links }, { leaves: [1], roots: [3, 3, 3] });
  mesh.nodes[0]!.paths.handleLocator(mesh.key(2), mesh.nodes[2]!.locator());
  const ports = find(mesh, 0, 2)!;
  t.same([...ports], mesh.route(0, 3, 4, 2));
});

t.test("a reply is at most three times its probe, whatever the sizes", async (t) => {
  let worst = 0;
  for (let hops = 1; hops <= ROUTE_HOPS_MAX; hops++)
    for (let depth = 0; depth <= TREE_DEPTH_MAX; depth++) {
      const position = { rootId: new Uint8Array(8).fill(1), coordinates: new Array<number>(depth).fill(0) };
      const reply = PROBE_REPLY.encode({
        hops: HOP_LIMIT,
        index: hops,
        nonce: new Uint8Array(8),
        key: new Uint8Array(32),
        back: new Uint8Array(2 * hops),
        forward: new Uint8Array(2 * hops),
        locator: encodeLocator(2 ** 48 - 1, [position, position, position]),
        locatorSignature: new Uint8Array(64),
        signature: new Uint8Array(64),
      });
      worst = Math.max(worst, reply.length / probeBytes(0));
    }
  t.ok(worst <= PROBE_REPLY_FACTOR_MAX, `${worst}`);
});

/** A mesh where node 0 looks for node 3, whose first replies are changed by `change` on their last hop. */
function withBadReplies(
  change: (reply: ProbeReply, mesh: StaticMesh) => Partial<ProbeReply>,
  count: number,
): StaticMesh {
  const mesh = new StaticMesh(line(4), { roots: [0, 1, 2] });
  let left = count;
  mesh.onFrame = (frame, _from, to) => {
    if (frame[1] !== Kind.PROBE_REPLY || to !== 0 || left-- <= 0) return frame;
    const reply = PROBE_REPLY.decode(frame) as ProbeReply;
    return PROBE_REPLY.encode({ ...reply, ...change(reply, mesh) });
  };
  find(mesh, 0, 3);
  return mesh;
}

const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte));

t.test("a reply that is false in any part is counted and ignored, and the next one taken", async (t) => {
  const changes: [string, (reply: ProbeReply, mesh: StaticMesh) => Partial<ProbeReply>][] = [
    ["signature", (reply) => ({ signature: flipped(reply.signature) })],
    ["key", (_reply, mesh) => ({ key: mesh.key(2) })],
    ["route", (reply) => ({ forward: flipped(reply.forward) })],
    ["way back", (reply) => ({ back: flipped(reply.back), index: reply.index })],
    ["first port", (reply) => ({ forward: reply.forward.map((byte, i) => (i === 1 ? byte ^ 1 : byte)) })],
    ["length", (reply) => ({ forward: reply.forward.subarray(2) })],
    ["locator", (reply) => ({ locator: flipped(reply.locator) })],
    ["another's signature", replySignedBy(2)],
  ];
  for (const [what, change] of changes) {
    const mesh = withBadReplies(change, 1);
    const { stats } = mesh.nodes[0]!.paths;
    t.match(stats, { repliesBad: 1, repliesTaken: 1 }, what);
    t.equal(mesh.nodes[0]!.paths.route(mesh.key(3))?.isConfirmed, true, what);
  }
});

function replySignedBy(node: number): (reply: ProbeReply, mesh: StaticMesh) => Partial<ProbeReply> {
  return (reply, mesh) => ({ signature: crypto.sign(replyMessage(networkId, reply), mesh.nodes[node]!.identity) });
}

t.test("false replies are verified a few times for each probe, no more", async (t) => {
  const mesh = new StaticMesh(line(4), { roots: [0, 0, 0] });
  const node = mesh.nodes[0]!;
  let replies: Uint8Array[] = [];
  mesh.onFrame = (frame, _from, to) => {
    if (frame[1] !== Kind.PROBE_REPLY || to !== 0) return frame;
    replies.push(frame);
    return undefined;
  };
  node.paths.findRoute(mesh.key(3), undefined, 0);
  mesh.settle();
  t.equal(replies.length, 3, "one probe a tree");
  replies = replies.slice(0, 2);
  const reply = PROBE_REPLY.decode(replies[0]!) as ProbeReply;
  const port = mesh.portTo(0, 1);
  for (let i = 0; i < 4; i++)
    mesh.receive(0, PROBE_REPLY.encode({ ...reply, signature: new Uint8Array(64).fill(i) }), port);
  mesh.receive(0, replies[0]!, port);
  t.equal(node.paths.stats.repliesBad, 3, "a link owes as many replies as probes went there");
  t.equal(node.dropsOf(DropReason.UNASKED), 2);
});

t.test("a false locator in a true reply is not kept, and costs no route", async (t) => {
  const mesh = withBadReplies((reply) => ({ locatorSignature: flipped(reply.locatorSignature) }), 3);
  const { paths } = mesh.nodes[0]!;
  t.equal(paths.stats.locatorsBad, 3, "that of each tree");
  t.equal(paths.locator(mesh.key(3)), undefined);
  t.equal(paths.route(mesh.key(3))?.isConfirmed, true);
});

t.test("a late reply is known as such, and one to nothing asked is dropped", async (t) => {
  const mesh = new StaticMesh(ring(6), { roots: [0, 0, 0] });
  let reply: Uint8Array | undefined;
  mesh.onFrame = (frame, _from, to) => {
    if (frame[1] === Kind.PROBE_REPLY && to === 0) reply = frame;
    return frame;
  };
  find(mesh, 0, 2);
  const { paths } = mesh.nodes[0]!;
  t.match(paths.stats, { repliesTaken: 1, repliesLate: 2 });
  const unasked = mesh.drops(DropReason.UNASKED);
  mesh.receive(0, reply!.slice(), mesh.portTo(0, 1));
  t.equal(mesh.drops(DropReason.UNASKED), unasked + 1);
});

t.test("a node passes on no more replies than it passed on probes", async (t) => {
  const mesh = new StaticMesh(line(4));
  let reply: Uint8Array | undefined;
  mesh.onFrame = (frame, from) => {
    if (frame[1] === Kind.PROBE_REPLY && from === 2) reply = frame.slice();
    return frame;
  };
  find(mesh, 0, 3);
  const before = mesh.nodes[0]!.received.get(Kind.PROBE_REPLY);
  for (let i = 0; i < 100; i++) mesh.receive(1, reply!.slice(), mesh.portTo(1, 2));
  mesh.settle();
  t.equal(mesh.nodes[0]!.received.get(Kind.PROBE_REPLY), before);
  t.equal(mesh.nodes[1]!.dropsOf(DropReason.UNASKED), 100);
});

t.test("a flood of probes ends where it meets others, and an honest neighbour is served meanwhile", async (t) => {
  const links: [number, number][] = [[0, 2], [1, 2], [2, 3], [3, 4]]; // biome-ignore format: one line
  const mesh = new StaticMesh({ count: 5, links }, { config: { probeRatePerS: 100, probeBurst: 200 } });
  const { paths } = mesh.nodes[1]!;
  const route = Uint16Array.from(mesh.route(1, 2, 3, 4));
  let asked = 0;
  for (let ms = 0; ms < 4_000; ms++) {
    const nonce = Uint8Array.of(ms >>> 8, ms, 0, 0, 0, 0, 0, 0);
    const frame = encodeProbe(ProbeMode.KEY, nonce, mesh.key(4), { mask: 6 });
    frame[13] = 1; // as if its sender had left slot 0
    mesh.receive(2, frame, mesh.portTo(2, 0));
    if (ms % 200 === 0 && paths.probeRoute(route, mesh.key(4), 0, mesh.nowMs) !== 0) asked++;
    mesh.run(1);
  }
  mesh.run(4_000);
  const served = mesh.nodes[1]!.events.filter((event) => event.type === "probed" && event.answer !== undefined);
  t.equal(asked, 20);
  t.equal(served.length, asked);
  t.ok(mesh.nodes[2]!.dropsOf(DropReason.PROBE_RATE) > 3_300);
  t.ok(mesh.nodes[3]!.dropsOf(DropReason.PROBE_RATE) < 20);
});

t.test("probes for a node spend its signatures, but for the half that quiet neighbours have", async (t) => {
  const links: [number, number][] = [
    [0, 2],
    [1, 2],
  ];
  const mesh = new StaticMesh({ count: 3, links }, { config: { signRatePerS: 1, signBurst: 100, probeRatePerS: 1 } });
  const target = mesh.nodes[2]!;
  for (let i = 0; i < 1_000; i++) {
    const nonce = Uint8Array.of(i >>> 8, i, 0, 0, 0, 0, 0, 0);
    const frame = encodeProbe(ProbeMode.SOURCE, nonce, mesh.key(2), { route: [1] });
    frame[13] = 1;
    mesh.receive(2, frame, mesh.portTo(2, 0));
  }
  t.ok(target.dropsOf(DropReason.SIGN_RATE) > 400);
  const answered = target.paths.stats.probesAnswered;
  t.ok(answered >= 50 && answered <= 100);
  t.equal(mesh.end(1, find(mesh, 1, 2)!), 2);
});

t.test("frames on their way back are checked at every relay", async (t) => {
  const mesh = new StaticMesh(line(3));
  const relay = mesh.nodes[1]!;
  const [left, right] = [mesh.portTo(1, 0), mesh.portTo(1, 2)];
  const send = (values: { index?: number; hops?: number; back: number[] }) => {
    const back = Uint8Array.from(values.back.flatMap((port) => [0, port]));
    const report = { hops: values.hops ?? 1, index: values.index ?? 1, routeId: new Uint8Array(8), back };
    mesh.receive(1, ROUTE_BROKEN.encode(report), right);
  };
  const expect = (reason: DropReason, values: Parameters<typeof send>[0]) => {
    const count = relay.dropsOf(reason);
    send(values);
    t.equal(relay.dropsOf(reason), count + 1);
  };
  send({ back: [9, left] });
  mesh.settle();
  t.equal(mesh.nodes[0]!.dropsOf(DropReason.UNASKED), 1, "it arrived, and is about no route of that node");
  expect(DropReason.IN_EQUALS_OUT, { back: [9, right] });
  expect(DropReason.NO_LINK, { back: [9, 77] });
  expect(DropReason.ROUTE_LENGTH, { back: [9], index: 2 });
  expect(DropReason.HOP_LIMIT, { back: [9, left], hops: HOP_LIMIT });
});

t.test("a probe that has no slot or no hop left, or has none behind it, is dropped", async (t) => {
  const mesh = new StaticMesh(line(3), { roots: [1, 1, 1] });
  const relay = mesh.nodes[1]!;
  const receive = (change: (frame: Uint8Array) => void) => {
    const frame = encodeProbe(ProbeMode.KEY, new Uint8Array(8), mesh.key(2), {});
    frame[13] = 1;
    change(frame);
    mesh.receive(1, frame, mesh.portTo(1, 0));
  };
  receive((frame) => frame.fill(ROUTE_HOPS_MAX, 13, 14));
  receive((frame) => frame.fill(0, 13, 14));
  t.equal(relay.dropsOf(DropReason.ROUTE_LENGTH), 2);
  receive((frame) => frame.fill(HOP_LIMIT, 3, 4));
  t.equal(relay.dropsOf(DropReason.HOP_LIMIT), 1);
  receive((frame) => frame.fill(1, 31, 63));
  t.equal(relay.dropsOf(DropReason.NO_WAY), 1);
});

t.test("what does not have its layout is refused with its code, and nothing is thrown", async (t) => {
  const mesh = new StaticMesh(line(3));
  const { paths } = mesh.nodes[1]!;
  const port = mesh.portTo(1, 0);
  t.equal(paths.handleProbe(new Uint8Array(600), port, 0), CloseCode.MALFORMED);
  t.equal(paths.handleProbeReply(Uint8Array.of(0x9a, Kind.PROBE_REPLY), port, 0), CloseCode.MALFORMED);
  const report = ROUTE_BROKEN.encode({ hops: 1, index: 1, routeId: new Uint8Array(8), back: new Uint8Array(2) });
  const long = Uint8Array.of(...report.subarray(0, 2), 0xcc, ...report.subarray(2));
  t.equal(paths.handleRouteBroken(long, port, 0), CloseCode.NON_CANONICAL);
  t.equal(mesh.nodes[1]!.dropsOf(DropReason.MALFORMED), 3);
  t.equal(mesh.end(0, find(mesh, 0, 2)!), 2, "and the others are served");
});

t.test("changed frames of every kind never throw, and what comes of them ends", async (t) => {
  const mesh = new StaticMesh(grid(3, 3), { config: { probeRatePerS: 1e6, probeBurst: 1e6, signRatePerS: 1e6 } });
  const random = seeded(3);
  let changes = 0;
  mesh.onFrame = (frame) => {
    const changed = frame.slice();
    if (random(3) === 0) return changed;
    for (let i = random(3); i >= 0; i--) changed[random(random(2) === 0 ? 66 : changed.length)] = random(256);
    changes++;
    return random(20) === 0 ? changed.subarray(0, random(changed.length)) : changed;
  };
  for (let i = 0; i < 1_500; i++) {
    const [from, to] = [random(9), random(9)];
    if (i % 3 === 0) mesh.nodes[from]!.paths.findRoute(mesh.key(to), mesh.nodes[to]!.locator(), mesh.nowMs);
    else mesh.send(from, to, i % 3 === 1 ? [] : [1 + random(4), 1 + random(4), 1 + random(4)]);
    mesh.run(20);
  }
  t.ok(changes > 1_000);
});
