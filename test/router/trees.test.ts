import t from "tap";
import { equalBytes } from "../../src/wire/bytes.js";
import { Kind } from "../../src/wire/kinds.js";
import { TREE_COUNT, TREE_DEPTH_MAX } from "../../src/wire/limits.js";
import { type Graph, grid, line, randomGraph, ring, seeded, star } from "./graphs.js";
import { type Mesh, meshOf } from "./mesh.js";
import { bestRoot, faults, isInCircle, reach, walk } from "./views.js";

const graphs: Record<string, Graph> = {
  "a random mesh": randomGraph(60, 90, seeded(1)),
  "a line": line(32),
  "a ring": ring(30),
  "a grid": grid(7, 7),
  "a star": star(40),
  "two parts": { count: 24, links: [...ring(12).links, ...ring(12).links.map(([a, b]) => [a + 12, b + 12] as const)] },
  "one node": { count: 1, links: [] },
};

function violations(mesh: Mesh): number {
  return mesh.members.reduce((sum, member) => sum + member.violations.length, 0);
}

for (const [name, graph] of Object.entries(graphs))
  t.test(`${name} starts cold: one root per tree and part, coordinates by the parents, whole tables`, async (t) => {
    const mesh = meshOf(graph, seeded(2), { jitterMs: 20 });
    let circles = 0;
    mesh.onInput = (member) => {
      for (let tree = 0; tree < TREE_COUNT; tree++) if (isInCircle(member, tree)) circles++;
    };
    t.ok(mesh.runUntil(() => faults(mesh).length === 0, 15_000) < 15_000);
    t.equal(circles, 0, "no parent is below its child at any instant");
    t.equal(violations(mesh), 0);
    const sizes = name === "two parts" ? 2 : 1;
    for (let tree = 0; tree < TREE_COUNT; tree++)
      t.ok(reach(mesh, tree) >= (sizes === 1 ? 1 : 0.47) || graph.count === 1, "every pair of a part is joined by KEY");
    mesh.run(2_000);
    t.same(faults(mesh), [], "and it stays so");
  });

t.test("a line longer than a tree is deep: who is beyond has another root there, and nothing breaks", async (t) => {
  const count = 165;
  const mesh = meshOf(line(count), seeded(5), { delayMs: 5 });
  mesh.run(12_000);
  t.equal(violations(mesh), 0);
  let beyond = 0;
  for (let tree = 0; tree < TREE_COUNT; tree++) {
    const root = bestRoot(mesh.members, tree)!;
    const rootAt = mesh.members.indexOf(root);
    for (const [at, { trees }] of mesh.members.entries()) {
      const { rootKey, position } = trees.trees[tree]!;
      const isNear = Math.abs(at - rootAt) <= TREE_DEPTH_MAX;
      if (!isNear) beyond++;
      if (equalBytes(rootKey!, root.key) !== isNear) t.fail(`tree ${tree}, member ${at}`);
      if (position!.coordinates.length > TREE_DEPTH_MAX) t.fail(`tree ${tree}, member ${at} is too deep`);
    }
    t.equal(reach(mesh, tree, 500) < 1, rootAt > TREE_DEPTH_MAX || count - 1 - rootAt > TREE_DEPTH_MAX);
  }
  t.ok(beyond > 0, "some are beyond");
  const [first, last] = [mesh.members[0]!, mesh.members[count - 1]!];
  t.ok(
    [0, 1, 2].some((tree) => walk(first, last, tree)),
    "where another tree has both, they meet there",
  );
  const before = mesh.frames;
  mesh.run(20_000);
  t.ok(mesh.frames - before < 2 * TREE_COUNT * count, "and there is peace");
});

t.test("an idle mesh sends heartbeats and nothing else, one per child, tree and 30 seconds", async (t) => {
  const mesh = meshOf(randomGraph(50, 70, seeded(3)), seeded(4));
  mesh.run(20_000);
  const before = mesh.members.map((member) => new Map(member.received));
  const bytesBefore = mesh.members.reduce((sum, member) => sum + member.sentBytes, 0);
  mesh.run(300_000);
  const children = 49 * TREE_COUNT;
  for (const kind of Object.values(Kind)) {
    const countOf = (received: Map<number, number>) => received.get(kind) ?? 0;
    const came = mesh.members.reduce((sum, { received }, i) => sum + countOf(received) - countOf(before[i]!), 0);
    t.equal(came, kind === Kind.HEARTBEAT ? 10 * children : 0, `frames of kind ${kind}`);
  }
  const bytes = mesh.members.reduce((sum, member) => sum + member.sentBytes, 0) - bytesBefore;
  t.ok(bytes / 300 / 50 < 12, `${bytes / 300 / 50} bytes a node a second`);
});
