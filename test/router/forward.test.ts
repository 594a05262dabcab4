import t from "tap";
import { PATH_DEFAULTS } from "../../src/router/path-config.js";
import { DropReason } from "../../src/wire/codes.js";
import { ROUTE_BROKEN } from "../../src/wire/control.js";
import {
  BIT_CONGESTION,
  BIT_FELL_BACK,
  BIT_KEY,
  DEPTH_NONE,
  dataBits,
  dataHops,
  dataPayload,
  dataRouteBack,
  editHops,
  editKeyStep,
  editSourceStep,
} from "../../src/wire/data.js";
import { Kind } from "../../src/wire/kinds.js";
import { HOP_LIMIT, ROUTE_HOPS_MAX } from "../../src/wire/limits.js";
import { dataFrame, type Graph, grid, line, randomGraph, ring, StaticMesh, seeded } from "./static-mesh.js";

const graphs: [string, Graph][] = [
  ["a line of 9", line(9)],
  ["a ring of 10", ring(10)],
  ["a grid of 5 × 5", grid(5, 5)],
  ["40 nodes at random", randomGraph(40, 30, seeded(7))],
];

/** A shortest list of nodes between two. */
function shortest(mesh: StaticMesh, from: number, to: number): number[] {
  const before = new Map<number, number>([[from, from]]);
  for (const at of before.keys())
    for (const wire of mesh.wires[at]!.values()) if (!before.has(wire.to)) before.set(wire.to, at);
  const nodes = [to];
  while (nodes[0] !== from) nodes.unshift(before.get(nodes[0]!)!);
  return nodes;
}

const routeIdOf = (value: number) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value, 0, 0, 0, 0);

for (const [name, graph] of graphs) {
  t.test(`every pair delivers by its source route, and the overwritten ports lead back: ${name}`, async (t) => {
    const mesh = new StaticMesh(graph);
    for (let from = 0; from < graph.count; from++)
      for (let to = 0; to < graph.count; to++) {
        if (from === to) continue;
        const route = mesh.route(...shortest(mesh, from, to));
        mesh.send(from, to, route);
        mesh.settle();
        const { frame, ingress } = mesh.nodes[to]!.delivered.pop()!;
        if (dataHops(frame) !== route.length) t.fail("a frame did not keep to its route");
        if (mesh.end(to, dataRouteBack(frame, ingress)) !== from) t.fail("the way back leads elsewhere");
      }
    t.same(
      mesh.nodes.flatMap((node) => node.drops).filter((count) => count > 0),
      [],
    );
  });

  t.test(`every pair delivers by KEY in each tree: ${name}`, async (t) => {
    const mesh = new StaticMesh(graph);
    for (let tree = 0; tree < 3; tree++)
      for (let from = 0; from < graph.count; from++)
        for (let to = 0; to < graph.count; to++) {
          if (from === to) continue;
          const frame = dataFrame(mesh.key(to), []);
          editKeyStep(frame, tree, 7 & ~(1 << tree), false, DEPTH_NONE);
          mesh.nodes[from]!.forwarder.forward(frame, 0, mesh.nowMs);
          mesh.settle();
          if (mesh.nodes[to]!.delivered.pop()?.frame !== frame) t.fail(`tree ${tree}: ${from} does not reach ${to}`);
        }
    t.same(
      mesh.nodes.flatMap((node) => node.drops).filter((count) => count > 0),
      [],
    );
  });
}

t.test("a frame whose next link is gone falls back in its own buffer, and its hint is void", async (t) => {
  const mesh = new StaticMesh(ring(8));
  const route = mesh.route(0, 1, 2, 3);
  mesh.cut(2, 3);
  for (let tree = 0; tree < 3; tree++) mesh.plant(tree, tree);
  const frame = dataFrame(mesh.key(3), route);
  mesh.nodes[0]!.forwarder.forward(frame, 0, mesh.nowMs);
  mesh.settle();
  const [delivery] = mesh.nodes[3]!.delivered;
  t.equal(delivery?.frame, frame);
  t.equal(dataBits(frame) & (BIT_KEY | BIT_FELL_BACK), BIT_KEY | BIT_FELL_BACK);
  t.equal(dataRouteBack(frame, delivery!.ingress).length, 0);
});

t.test("a frame whose route ends elsewhere falls back", async (t) => {
  const mesh = new StaticMesh(grid(4, 4));
  mesh.send(0, 15, mesh.route(0, 1, 2));
  mesh.settle();
  t.equal(mesh.nodes[15]!.delivered.length, 1);
  t.equal(mesh.nodes[0]!.received.get(Kind.ROUTE_BROKEN), 1);
});

t.test(
  "a frame whose route turns back falls back, as one whose next link is gone, and its sender hears of it",
  async (t) => {
    const mesh = new StaticMesh(grid(4, 4));
    // The ports of 1 are others since the route was made: what led on to 2 leads back to 0.
    mesh.send(0, 15, [mesh.portTo(0, 1), mesh.portTo(1, 0)]);
    mesh.settle();
    t.equal(mesh.nodes[15]!.delivered.length, 1);
    t.equal(mesh.nodes[0]!.received.get(Kind.ROUTE_BROKEN), 1);
  },
);

t.test("the sender hears once that a route is broken, however many frames fall back", async (t) => {
  const mesh = new StaticMesh(ring(8));
  const route = mesh.route(0, 1, 2, 3);
  mesh.cut(2, 3);
  let reported: Uint8Array | undefined;
  mesh.onFrame = (frame, _from, to) => {
    if (to === 0 && frame[1] === Kind.ROUTE_BROKEN) reported = frame;
    return frame;
  };
  for (let i = 0; i < 50; i++) mesh.send(0, 3, route, { routeId: routeIdOf(9) });
  mesh.settle();
  t.equal(mesh.nodes[0]!.received.get(Kind.ROUTE_BROKEN), 1);
  t.match(ROUTE_BROKEN.decode(reported!), { routeId: routeIdOf(9), hops: 2, index: 2 });
  mesh.send(0, 3, route, { routeId: routeIdOf(10) });
  mesh.settle();
  t.equal(mesh.nodes[0]!.received.get(Kind.ROUTE_BROKEN), 2);
});

t.test("reports of broken routes are bounded for each ingress, and another ingress has its own", async (t) => {
  const mesh = new StaticMesh(
    {
      count: 5,
      links: [
        [0, 2],
        [1, 2],
        [2, 3],
        [3, 4],
      ],
    },
    { config: { brokenRatePerS: 1, brokenBurst: 10 } },
  );
  const [flood, honest] = [mesh.route(0, 2, 3), mesh.route(1, 2, 3)];
  mesh.cut(2, 3);
  for (let i = 0; i < 500; i++) mesh.send(0, 4, flood, { routeId: routeIdOf(i) });
  mesh.send(1, 4, honest, { routeId: routeIdOf(1_000) });
  mesh.settle();
  t.equal(mesh.nodes[0]!.received.get(Kind.ROUTE_BROKEN), 10);
  t.equal(mesh.nodes[1]!.received.get(Kind.ROUTE_BROKEN), 1);
});

t.test("a fallen-back frame may return through the neighbour that sent it", async (t) => {
  const mesh = new StaticMesh(line(5), { roots: [0, 0, 0] });
  mesh.send(2, 0, mesh.route(2, 3)); // 3 can only send it back
  mesh.settle();
  t.equal(mesh.nodes[0]!.delivered.length, 1);
});

t.test("a KEY frame stuck in one tree goes on in another", async (t) => {
  const mesh = new StaticMesh(ring(9), { roots: [0, 3, 6] });
  for (const node of mesh.nodes) node.trees[0]!.below.clear();
  mesh.nodes[0]!.trees[1]!.below.clear();
  mesh.send(8, 4, []);
  mesh.settle();
  t.equal(mesh.nodes[4]!.delivered.length, 1);
});

t.test("each reason for a drop is returned and counted", async (t) => {
  const mesh = new StaticMesh(line(3), { roots: [1, 1, 1] });
  const relay = mesh.nodes[1]!;
  const [toZero, toTwo] = [mesh.portTo(1, 0), mesh.portTo(1, 2)];
  const forward = (frame: Uint8Array, ingress: number) => relay.forwarder.forward(frame, ingress, 0);
  const expect = (reason: DropReason, frame: Uint8Array, ingress = toZero) => {
    const count = relay.dropsOf(reason);
    t.equal(forward(frame, ingress), reason);
    t.equal(relay.dropsOf(reason), count + 1);
  };
  const nowhere = new Uint8Array(32).fill(1);
  const arrived = (route: number[], to = mesh.key(2)) => {
    const frame = dataFrame(to, route);
    editSourceStep(frame, 0);
    editHops(frame);
    return frame;
  };

  expect(DropReason.MALFORMED, new Uint8Array(3));
  expect(DropReason.MALFORMED, new Uint8Array(500));
  expect(DropReason.MALFORMED, dataFrame(mesh.key(2), new Array(ROUTE_HOPS_MAX + 1).fill(1)));
  const outside = arrived([1, toTwo]);
  outside[13] = 3;
  expect(DropReason.MALFORMED, outside);
  expect(DropReason.NO_WAY, arrived([1, toZero], nowhere));
  expect(DropReason.SELF, dataFrame(relay.key, []), 0);
  expect(DropReason.NO_WAY, dataFrame(nowhere, []));
  expect(DropReason.NO_WAY, arrived([1, 99], nowhere));
  const tired = arrived([1, toTwo]);
  for (let i = 1; i < HOP_LIMIT; i++) editHops(tired);
  expect(DropReason.HOP_LIMIT, tired);
  const last = arrived([1, toTwo]);
  for (let i = 2; i < HOP_LIMIT; i++) editHops(last);
  t.equal(forward(last, toZero), toTwo, "one hop below the limit");

  for (let i = 0; i < 40; i++) forward(dataFrame(mesh.key(2), [], { payload: 60_000 }), toZero);
  expect(DropReason.QUEUE_FULL, dataFrame(mesh.key(2), [], { payload: 60_000 }));
  const waiting = 35; // 34 of the large ones fit, and the one below the limit
  mesh.cut(1, 2);
  t.equal(relay.dropsOf(DropReason.LINK_DOWN), waiting);
});

t.test("a frame is marked where more than half of the queue is taken", async (t) => {
  const mesh = new StaticMesh(line(3), { roots: [1, 1, 1] });
  const route = [mesh.portTo(1, 2)];
  const isMarked = () => {
    const frame = dataFrame(mesh.key(2), route, { payload: 50_000 });
    mesh.nodes[1]!.forwarder.forward(frame, 0, 0);
    return (dataBits(frame) & BIT_CONGESTION) !== 0;
  };
  const marks = Array.from({ length: 24 }, isMarked);
  t.equal(marks.indexOf(true), Math.ceil(PATH_DEFAULTS.dataBytesMax / 2 / 50_000));
  t.equal(marks.lastIndexOf(false), marks.indexOf(true) - 1);
});

t.test("a route that winds gets less of a link than one that does not", async (t) => {
  const links: [number, number][] = [[0, 2], [1, 2], [2, 3], [3, 4]]; // biome-ignore format: one line
  const mesh = new StaticMesh({ count: 5, links });
  const { forwarder, queues } = mesh.nodes[2]!;
  const egress = mesh.portTo(2, 3);
  const sent = [0, 0];
  const push = (from: number, hops: number) => {
    const frame = dataFrame(mesh.key(4), [9, egress, ...new Array(hops - 1).fill(9)], { payload: 1_000 + from });
    editSourceStep(frame, 0);
    forwarder.forward(frame, mesh.portTo(2, from), 0);
  };
  for (let i = 0; i < 20_000; i++) {
    for (let k = 0; k < 3; k++) push(0, 120);
    push(1, 3);
    const frame = queues.pop(egress)!;
    sent[dataPayload(frame).length - 1_000]!++;
  }
  t.ok(sent[1]! > 30 * sent[0]!, `${sent}`);
});
