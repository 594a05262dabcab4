import t from "tap";
import { idOf } from "../../src/router/entry.js";
import { PATH_DEFAULTS } from "../../src/router/path-config.js";
import { BALL, BALL_REQUEST, type Ball, decodeRecords, encodeRecord } from "../../src/wire/ball.js";
import { fromHex } from "../../src/wire/bytes.js";
import { CloseCode, DropReason } from "../../src/wire/codes.js";
import { Kind } from "../../src/wire/kinds.js";
import { BALL_PADDING_BYTES, BALL_RECORDS_BYTES_MAX, PROBE_REPLY_FACTOR_MAX } from "../../src/wire/limits.js";
import { encodeProbe, ProbeMode } from "../../src/wire/probe.js";
import { grid, line, randomGraph, ring, StaticMesh, seeded } from "./static-mesh.js";

const ballsOf = (mesh: StaticMesh, node: number) => mesh.nodes[node]!.paths.balls;
const id = (mesh: StaticMesh, node: number): string => idOf(mesh.key(node));

/** Lets a node pull its ball. */
function grow(mesh: StaticMesh, node: number, size: number): void {
  ballsOf(mesh, node).grow(size, mesh.nowMs);
  mesh.run(3_000);
}

/** The least delay from a node to each other, by the links of the mesh. */
function delaysFrom(mesh: StaticMesh, from: number): number[] {
  const delays = mesh.nodes.map(() => Number.POSITIVE_INFINITY);
  delays[from] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (const [at, wires] of mesh.wires.entries())
      for (const { to, delayMs } of wires.values())
        if (delays[at]! + delayMs < delays[to]!) {
          delays[to] = delays[at]! + delayMs;
          changed = true;
        }
  }
  return delays;
}

function delayOf(mesh: StaticMesh, from: number, ports: Iterable<number>): number {
  let delayMs = 0;
  let at = from;
  for (const port of ports) {
    const wire = mesh.wires[at]!.get(port)!;
    delayMs += wire.delayMs;
    at = wire.to;
  }
  return delayMs;
}

t.test("a ball is the nearest records, and a survey over it gives the shortest routes", async (t) => {
  const mesh = new StaticMesh(grid(6, 6));
  grow(mesh, 0, 20);
  const balls = ballsOf(mesh, 0);
  t.ok(balls.isGrown);
  const delays = delaysFrom(mesh, 0);
  const nearest = [...delays].sort((a, b) => a - b);
  const reachMs = balls.map.reachMs(id(mesh, 0), mesh.nowMs);
  t.ok(reachMs >= nearest[19]!, "all of the nearest twenty are in it");
  for (let to = 1; to < 36; to++) {
    if (delays[to]! > reachMs) continue;
    const [route] = balls.map.routes(id(mesh, to), 1, mesh.nowMs);
    t.equal(mesh.end(0, route!.ports), to);
    t.equal(route!.delayMs, delays[to]);
    t.equal(delayOf(mesh, 0, route!.ports), delays[to]);
  }
  t.match(mesh.nodes[0]!.paths.stats, { ballsBad: 0, ballsUnanswered: 0 });
});

t.test("two balls that meet give the shortest route, and one that shares no node with it", async (t) => {
  const mesh = new StaticMesh(grid(6, 6));
  grow(mesh, 7, 18);
  grow(mesh, 28, 18);
  const { map } = ballsOf(mesh, 7);
  t.same(map.routes(id(mesh, 28), 2, mesh.nowMs), [], "one ball alone does not reach");
  for (const part of ballsOf(mesh, 28).parts(18, 1_000, mesh.nowMs))
    t.ok(ballsOf(mesh, 7).handleRecords(part, mesh.nowMs));
  const [best, spare] = map.routes(id(mesh, 28), 2, mesh.nowMs);
  t.equal(mesh.end(7, best!.ports), 28);
  t.equal(mesh.end(7, spare!.ports), 28);
  t.ok(best!.delayMs <= 1.2 * delaysFrom(mesh, 7)[28]!);
  t.notOk(
    best!.nodes.some((node) => spare!.nodes.includes(node)),
    "node-disjoint",
  );
});

t.test("where no way is disjoint, the spare shares as little as it can", async (t) => {
  // A ring of six with a tail: everything to the tail's end passes 3 and 6.
  const links: [number, number][] = [...ring(6).links, [3, 6], [6, 7]] as [number, number][];
  const mesh = new StaticMesh({ count: 8, links });
  grow(mesh, 0, 8);
  const [best, spare, ...more] = ballsOf(mesh, 0).map.routes(id(mesh, 7), 4, mesh.nowMs);
  t.same(
    best!.nodes.filter((node) => spare!.nodes.includes(node)),
    [id(mesh, 3), id(mesh, 6)],
  );
  t.same(more, []);
});

t.test("what the map offers is probed, and taken where it is better", async (t) => {
  const mesh = new StaticMesh(randomGraph(40, 50, seeded(5)));
  const { paths } = mesh.nodes[0]!;
  let better = 0;
  for (let to = 1; to < 40; to++) {
    paths.findRoute(mesh.key(to), undefined, mesh.nowMs);
    mesh.run(500);
    const first = paths.route(mesh.key(to))!;
    grow(mesh, 0, 40);
    paths.join(mesh.key(to), mesh.nowMs);
    mesh.run(500);
    const now = paths.route(mesh.key(to))!;
    t.ok(now.isConfirmed);
    t.ok(delayOf(mesh, 0, now.ports) <= 1.1 * delaysFrom(mesh, 0)[to]! + 2, `the way to ${to} is near the shortest`);
    if (now !== first) better++;
  }
  t.ok(better > 10, `${better} of 39 were better`);
  t.ok(paths.stats.routesJoined <= 4 * 39, "four candidates a target");
});

t.test("a way that takes longer than half a second there and back is taken as well", async (t) => {
  const mesh = new StaticMesh(ring(8), { roots: [6, 6, 6] });
  for (const wires of mesh.wires) for (const [port, wire] of wires) wires.set(port, { ...wire, delayMs: 90 });
  const { paths } = mesh.nodes[0]!;
  paths.findRoute(mesh.key(3), undefined, mesh.nowMs);
  mesh.run(2_000);
  t.equal(paths.route(mesh.key(3))!.ports.length, 5, "by the root");
  grow(mesh, 0, 8);
  paths.join(mesh.key(3), mesh.nowMs);
  mesh.run(2_000);
  t.equal(paths.route(mesh.key(3))!.ports.length, 3, "the short way, 540 ms");
});

t.test("the nodes of a route that trees found come onto the map", async (t) => {
  const mesh = new StaticMesh(line(8));
  const { paths } = mesh.nodes[0]!;
  paths.findRoute(mesh.key(7), undefined, mesh.nowMs);
  mesh.run(500);
  const route = paths.route(mesh.key(7))!;
  paths.balls.askAlong(route.ports, mesh.nowMs);
  mesh.run(1_000);
  t.same(
    paths.balls.map.trace(route.ports, mesh.nowMs).nodes,
    [1, 2, 3, 4, 5, 6].map((node) => id(mesh, node)),
  );
});

t.test("a record is the node's own word before another's, and old after five minutes", async (t) => {
  const mesh = new StaticMesh(line(4));
  grow(mesh, 0, 4);
  const balls = ballsOf(mesh, 0);
  const lie = encodeRecord(fromHex(id(mesh, 1))!, []);
  t.ok(balls.handleRecords(lie, mesh.nowMs));
  t.equal(balls.map.get(id(mesh, 1), mesh.nowMs)!.links.length, 2);
  t.equal(balls.map.get(id(mesh, 1), mesh.nowMs + 300_000), undefined);
});

t.test("a liar's records cost probes, and the honest route stays", async (t) => {
  const mesh = new StaticMesh(ring(8), { roots: [1, 1, 1] });
  const { paths } = mesh.nodes[0]!;
  paths.findRoute(mesh.key(3), undefined, mesh.nowMs);
  mesh.run(500);
  const route = paths.route(mesh.key(3))!;
  const neighbour = fromHex(id(mesh, 1))!;
  const target = fromHex(id(mesh, 3))!;
  for (let port = 1; port < 100; port++)
    paths.balls.handleRecords(encodeRecord(neighbour, [{ port, id: target, delayMs: 0.1 }]), mesh.nowMs);
  t.ok(paths.join(mesh.key(3), mesh.nowMs) < 100);
  mesh.run(2_000);
  t.equal(paths.route(mesh.key(3)), route);
  t.ok(paths.stats.routesJoined <= 4);
});

t.test("answers are checked: whose they are, and that they were asked for", async (t) => {
  const mesh = new StaticMesh(line(4));
  const [asker, relay] = [mesh.nodes[0]!, mesh.nodes[1]!];
  mesh.onFrame = (frame, from) => {
    if (frame[1] !== Kind.BALL || from !== 1) return frame;
    const ball = BALL.decode(frame) as Ball;
    return BALL.encode({ ...ball, records: encodeRecord(fromHex("0909090909090909")!, []) });
  };
  grow(mesh, 0, 4);
  t.ok(asker.paths.stats.ballsBad > 0, "another node's record");
  t.ok(asker.paths.stats.ballsUnanswered > 0);
  t.equal(asker.paths.balls.map.size, 0);
  const back = Uint8Array.of(0, mesh.portTo(1, 0), 0, 1);
  const unasked = BALL.encode({ hops: 1, index: 1, nonce: new Uint8Array(8), back, records: new Uint8Array(9) });
  mesh.receive(1, unasked.slice(), mesh.portTo(1, 2));
  t.equal(relay.dropsOf(DropReason.UNASKED), 1, "no request left by that port");
  t.equal(relay.paths.handleBallFrame(Uint8Array.of(0x96, Kind.BALL), Kind.BALL, 1, 0), CloseCode.MALFORMED);
  t.equal(relay.paths.handleBallFrame(Uint8Array.of(0x96, 0x28), Kind.BALL_REQUEST, 1, 0), CloseCode.MALFORMED);
  mesh.onFrame = (frame) => frame;
  mesh.run(60_000);
  grow(mesh, 0, 4);
  t.equal(asker.paths.balls.map.size, 3, "an honest neighbour is heard again");
});

t.test("records that lie about their lengths are refused", async (t) => {
  const record = encodeRecord(fromHex("0102030405060708")!, [{ port: 1, id: new Uint8Array(8), delayMs: 1 }]);
  t.equal(decodeRecords(record)?.length, 1);
  t.equal(decodeRecords(record.slice(0, -1)), undefined);
  t.equal(decodeRecords(record.slice(0, 8)), undefined);
  t.equal(decodeRecords(Uint8Array.of(...record.slice(0, 8), 113, ...new Uint8Array(2_000))), undefined);
  const mesh = new StaticMesh(line(2));
  t.notOk(ballsOf(mesh, 0).handleRecords(record.slice(0, -1), 0));
  t.equal(mesh.nodes[0]!.paths.stats.ballsBad, 1);
});

t.test("an answer is at most three times its request", async (t) => {
  for (let hops = 1; hops <= 127; hops++) {
    const ports = new Uint8Array(2 * hops);
    const shared = { hops: 0, index: 0, nonce: new Uint8Array(8) };
    const request = BALL_REQUEST.encode({ ...shared, route: ports, padding: new Uint8Array(BALL_PADDING_BYTES) });
    const answer = BALL.encode({ ...shared, back: ports, records: new Uint8Array(BALL_RECORDS_BYTES_MAX) });
    if (answer.length > PROBE_REPLY_FACTOR_MAX * request.length) t.fail(`${answer.length} for ${request.length}`);
  }
});

t.test("a flood of requests ends at the first relay, and an honest neighbour is answered meanwhile", async (t) => {
  const links: [number, number][] = [[0, 2], [1, 2], [2, 3]]; // biome-ignore format: one line
  const mesh = new StaticMesh({ count: 4, links }, { config: { probeRatePerS: 100, probeBurst: 200 } });
  for (let i = 0; i < 2_000; i++) {
    const route = Uint8Array.of(0, 0, 0, mesh.portTo(2, 3));
    const request = { hops: 1, index: 1, nonce: new Uint8Array(8), route, padding: new Uint8Array(512) };
    mesh.receive(2, BALL_REQUEST.encode(request), mesh.portTo(2, 0));
    if (i === 1_000) ballsOf(mesh, 1).grow(4, mesh.nowMs);
    mesh.run(1);
  }
  t.ok(mesh.nodes[2]!.dropsOf(DropReason.PROBE_RATE) > 1_500);
  t.ok(mesh.nodes[3]!.paths.stats.ballsAnswered < 500);
  mesh.run(2_000);
  t.equal(ballsOf(mesh, 1).map.size, 3);
});

t.test("records are bounded, and what is held is forgotten for newer", async (t) => {
  const mesh = new StaticMesh(line(2), { config: { recordsMax: 50 } });
  const balls = ballsOf(mesh, 0);
  for (let i = 0; i < 1_000; i++)
    balls.handleRecords(encodeRecord(Uint8Array.of(9, 9, i >> 8, i, 0, 0, 0, 0), []), mesh.nowMs);
  t.equal(balls.map.size, 50);
});

t.test("the neighbours of the nodes on a route are asked for what is missing, and no others", async (t) => {
  const mesh = new StaticMesh(grid(6, 3));
  const { balls } = mesh.nodes[6]!.paths;
  const route = Uint16Array.from(mesh.route(6, 7, 8, 9));
  balls.grow(1, mesh.nowMs);
  balls.askAlong(route, mesh.nowMs);
  mesh.run(500);
  balls.askAlong(route, mesh.nowMs);
  mesh.run(500);
  const { ballsAsked } = mesh.nodes[6]!.paths.stats;
  balls.askAround(route, mesh.nowMs);
  t.notOk(balls.isGrown, "answers are awaited");
  mesh.run(500);
  t.ok(balls.isGrown);
  t.equal(mesh.nodes[6]!.paths.stats.ballsAsked, ballsAsked + 5, "of 7 and 8: 1, 13, 2, 14, 9");
  balls.askAround(route, mesh.nowMs);
  t.equal(mesh.nodes[6]!.paths.stats.ballsAsked, ballsAsked + 5, "and once");
});

t.test("detours and the map find keys behind three roots that drop everything", async (t) => {
  const graph = randomGraph(60, 60, seeded(4));
  const roots = [3, 17, 42];
  const found = (ballMax: number): number => {
    const mesh = new StaticMesh(graph, { roots, config: { ballMax } });
    mesh.onFrame = (frame, from) => (roots.includes(from) ? undefined : frame);
    let count = 0;
    for (let i = 0; i < 40; i++) {
      const [from, to] = [(i * 7) % 60, (i * 11 + 23) % 60];
      if (roots.includes(from) || roots.includes(to) || from === to) continue;
      mesh.nodes[from]!.paths.findRoute(mesh.key(to), undefined, mesh.nowMs);
      mesh.run(4_000);
      const route = mesh.nodes[from]!.paths.route(mesh.key(to));
      if (route?.isConfirmed === true && mesh.end(from, route.ports) === to) count++;
    }
    return count;
  };
  const [without, withDetours] = [found(1), found(PATH_DEFAULTS.ballMax)];
  t.comment(`${without} without, ${withDetours} with`);
  t.ok(withDetours > without);
  t.ok(withDetours >= 32, `${withDetours} of 35, where some are cut off by the roots`);
});

t.test("a detour goes on by KEY from the end of its route, and its reply comes back by the whole way", async (t) => {
  const mesh = new StaticMesh(line(8), { roots: [4, 4, 4] });
  const frame = encodeProbe(ProbeMode.SOURCE, new Uint8Array(8), mesh.key(7), {
    route: mesh.route(0, 1, 2),
    isDetour: true,
  });
  mesh.receive(0, frame, 0);
  mesh.settle();
  t.equal(mesh.nodes[7]!.paths.stats.probesAnswered, 1);
  t.equal(mesh.nodes[0]!.received.get(Kind.PROBE_REPLY), 1);
});
