import fc from "fast-check";
import t from "tap";
import { type KeyCourse, stepByKey } from "../../src/router/key-step.js";
import { toHex } from "../../src/wire/bytes.js";
import { DEPTH_NONE } from "../../src/wire/data.js";
import { TREE_DEPTH_MAX } from "../../src/wire/limits.js";
import { grid, type Random, randomGraph, StaticMesh, seeded } from "./static-mesh.js";

const TARGET = new Uint8Array(32).fill(9);
const ROOT_ID = new Uint8Array(8);

/** Tables that fit nothing: random depths, parents and children, for one key. */
function scramble(mesh: StaticMesh, random: Random): void {
  for (const [index, node] of mesh.nodes.entries()) {
    const ports = [...mesh.wires[index]!.keys(), 0];
    for (const tree of node.trees) {
      const coordinates = new Array<number>(random(TREE_DEPTH_MAX + 1)).fill(0);
      tree.position = random(10) === 0 ? undefined : { rootId: ROOT_ID, coordinates };
      tree.parentPort = ports[random(ports.length)]!;
      tree.below.clear();
      if (random(3) === 0) tree.below.set(toHex(TARGET), ports[random(ports.length)]!);
    }
  }
}

/** Per node, tree and direction: how often a frame was there. Stops after `stepsMax`. */
function walk(mesh: StaticMesh, from: number, isData: boolean, stepsMax: number, forget = false): number[] {
  const visits = new Map<number, number>();
  const course: KeyCourse = { tree: 0, mask: 0, isDown: false, depth: DEPTH_NONE };
  let at = from;
  let ingress = 0;
  for (let steps = 0; steps < stepsMax; steps++) {
    const port = stepByKey(mesh.nodes[at]!, TARGET, course, ingress, isData);
    if (port === 0) return [...visits.values()];
    const wire = mesh.wires[at]!.get(port)!;
    at = wire.to;
    ingress = wire.toPort;
    if (forget) course.depth = course.isDown ? -1 : DEPTH_NONE - 1;
    const place = at * 8 + course.tree * 2 + (course.isDown ? 1 : 0);
    visits.set(place, (visits.get(place) ?? 0) + 1);
  }
  return [stepsMax];
}

const meshes = [grid(4, 4), randomGraph(12, 20, seeded(5))].map((graph) => new StaticMesh(graph));

t.test("whatever the tables say, a frame is at a node at most twice in one tree and direction", async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), fc.boolean(), (seed, isData) => {
      for (const mesh of meshes) {
        scramble(mesh, seeded(seed));
        for (let from = 0; from < mesh.nodes.length; from++)
          if (walk(mesh, from, isData, 10_000).some((visits) => visits > 2)) return false;
      }
      return true;
    }),
    { numRuns: 500 },
  );
});

t.test("the same tables make a frame loop that forgets its depth", async (t) => {
  let loops = 0;
  for (let seed = 1; seed <= 50; seed++)
    for (const mesh of meshes) {
      scramble(mesh, seeded(seed));
      if (walk(mesh, 0, false, 1_000, true).some((visits) => visits > 2)) loops++;
    }
  t.ok(loops > 0);
});

t.test("every frame ends, delivered or dropped, over tables that fit nothing", async (t) => {
  const mesh = new StaticMesh(randomGraph(12, 20, seeded(5)), { config: { brokenBurst: 1e6 } });
  const random = seeded(11);
  const sent = 2_000;
  for (let i = 0; i < sent; i++) {
    if (i % 20 === 0) {
      scramble(mesh, random);
      for (const node of mesh.nodes)
        for (const tree of node.trees)
          for (const other of mesh.nodes) if (random(3) > 0) tree.below.set(toHex(other.key), 1 + random(4));
    }
    const from = random(12);
    mesh.send(from, (from + 1 + random(11)) % 12, i % 2 === 0 ? [] : [1 + random(5), 1 + random(5), 1 + random(5)]);
    mesh.settle();
  }
  const delivered = mesh.nodes.reduce((sum, node) => sum + node.delivered.length, 0);
  const dropped = mesh.nodes.flatMap((node) => node.drops).reduce((sum, count) => sum + count, 0);
  t.ok(delivered > 0 && dropped > 0);
  t.ok(delivered + dropped >= sent); // a report of a broken route may be dropped too
});

t.test("a key below a child is not looked for above, and a frame that goes down never goes up", async (t) => {
  const mesh = new StaticMesh({ count: 3, links: [[0, 1], [1, 2]] }, { roots: [0, 0, 0] }); // biome-ignore format: one line
  const node = mesh.nodes[1]!;
  const course = (isDown: boolean, depth: number): KeyCourse => ({ tree: 0, mask: 6, isDown, depth });
  const [up, down] = [mesh.portTo(1, 0), mesh.portTo(1, 2)];
  t.equal(stepByKey(node, TARGET, course(false, DEPTH_NONE), 0, false), up);
  t.equal(stepByKey(node, TARGET, course(true, 1), 0, false), 0, "never up after down");
  t.equal(stepByKey(node, TARGET, course(false, 0), 0, false), 0, "up only to a smaller depth");
  node.trees[0]!.below.set(toHex(TARGET), down);
  t.equal(stepByKey(node, TARGET, course(false, 1), up, false), down);
  t.equal(stepByKey(node, TARGET, course(true, 2), up, false), 0, "down only to a greater depth");
  t.equal(stepByKey(node, TARGET, course(false, 1), down, false), 0, "not back to the child");
  t.equal(stepByKey(node, mesh.key(2), course(true, 99), up, false), down, "a neighbour at any depth");
});

t.test("a frame begins in a tree whose table has the key", async (t) => {
  const mesh = new StaticMesh(grid(3, 3), { roots: [8, 8, 8] });
  const node = mesh.nodes[4]!;
  const port = mesh.portTo(4, 1);
  node.trees[2]!.below.set(toHex(TARGET), port);
  const course: KeyCourse = { tree: 0, mask: 0, isDown: false, depth: DEPTH_NONE };
  t.equal(stepByKey(node, TARGET, course, 0, false), port);
  t.match(course, { tree: 2, mask: 0, isDown: true });
});

t.test("a probe to which other trees are open changes the tree before a root, in the last it goes there", async (t) => {
  // 0 is the root of trees 0 and 1, 4 of tree 2: a line.
  const mesh = new StaticMesh({ count: 5, links: [[0, 1], [1, 2], [2, 3], [3, 4]] }, { roots: [0, 0, 4] }); // biome-ignore format: one line
  const node = mesh.nodes[1]!;
  const start = (mask: number): KeyCourse => ({ tree: 0, mask, isDown: false, depth: DEPTH_NONE });
  const [toRoot, away] = [mesh.portTo(1, 0), mesh.portTo(1, 2)];
  const probe = start(0);
  t.equal(stepByKey(node, TARGET, probe, 0, false), away, "up in tree 2");
  t.match(probe, { tree: 2, mask: 3, isDown: false });
  t.equal(stepByKey(node, TARGET, start(6), 0, false), toRoot, "pinned");
  t.equal(stepByKey(node, TARGET, start(0), 0, true), toRoot, "DATA");
});

t.test("on its way up a frame goes over to a tree whose table has the key, on its way down it does not", async (t) => {
  const mesh = new StaticMesh(grid(3, 3), { roots: [8, 8, 8] });
  const node = mesh.nodes[4]!;
  const [below, from] = [mesh.portTo(4, 1), mesh.portTo(4, 3)];
  node.trees[1]!.below.set(toHex(TARGET), below);
  const at = (mask: number, isDown: boolean): KeyCourse => ({ tree: 0, mask, isDown, depth: 2 });
  for (const isData of [false, true]) {
    const up = at(0, false);
    t.equal(stepByKey(node, TARGET, up, from, isData), below);
    t.match(up, { tree: 1, mask: 1, isDown: true });
  }
  const tried = at(2, false);
  t.equal(stepByKey(node, TARGET, tried, from, false), node.trees[0]!.parentPort, "not to one that was tried");
  node.trees[0]!.below.set(toHex(TARGET), mesh.portTo(4, 5));
  const own = at(0, false);
  stepByKey(node, TARGET, own, from, false);
  t.equal(own.tree, 0, "its own comes first");
});
