import t from "tap";
import { Epochs } from "../../src/router/epochs.js";
import { SEQ_REQUEST } from "../../src/wire/control.js";
import { Kind } from "../../src/wire/kinds.js";
import { EPOCH_HINT_MAX, EPOCH_MAX, TREE_COUNT } from "../../src/wire/limits.js";
import { grid, randomGraph, seeded } from "./graphs.js";
import { type Member, type Mesh, meshOf, WALL_MS } from "./mesh.js";
import { Puppet } from "./puppet.js";
import { bestRoot, faults } from "./views.js";

const HOUR_MS = 3_600_000;

t.test("values only grow, from the clock or the disk, whichever is more", async (t) => {
  t.equal(new Epochs(1_000, 0).next(), 1_001);
  t.equal(new Epochs(1_000, 5_000).next(), 5_001);
  t.equal(new Epochs(5_000, 1_000).next(), 5_001);
  t.ok(
    new Epochs(Number.MAX_SAFE_INTEGER, 0).next() <= EPOCH_HINT_MAX + 1,
    "a clock far in the future counts up to the year 2109",
  );
  t.equal(new Epochs(-1, 0).next(), 2);
});

t.test("no value is given out that the disk does not cover", async (t) => {
  const epochs = new Epochs(1_000, 0);
  let stored = 0;
  for (let i = 0; i < 200_000; i++) {
    const value = epochs.next();
    stored = epochs.pollPersist() ?? stored;
    if (value >= stored) t.fail(`${value} of ${stored}`);
  }
  t.ok(new Epochs(0, stored).next() > epochs.next(), "the next life begins above this one");
  epochs.seen(10_000_000);
  epochs.next();
  t.ok(epochs.pollPersist()! > 10_000_000);
});

t.test("a value under an own signature counts without bound, a hint up to its bound", async (t) => {
  const epochs = new Epochs(1_000, 0);
  epochs.hinted(EPOCH_HINT_MAX + 1);
  t.equal(epochs.next(), 1_001);
  epochs.hinted(EPOCH_HINT_MAX);
  t.equal(epochs.next(), EPOCH_HINT_MAX + 1);
  epochs.seen(EPOCH_MAX - 2);
  t.equal(epochs.next(), EPOCH_MAX - 1);
  t.equal(epochs.next(), EPOCH_MAX);
  t.equal(epochs.next(), EPOCH_MAX, "and there it ends");
});

/** Kills a member, and starts it again a while later, linked as before. */
function comeBack(mesh: Mesh, member: Member, awayMs: number, life: { wallMs?: number; lostDisk?: boolean }): void {
  const wires = [...member.wires.values()].map(({ to, delayMs }) => ({ to, delayMs }));
  mesh.kill(member);
  mesh.run(awayMs);
  mesh.restart(member, life);
  for (const { to, delayMs } of wires) mesh.link(member, to, { delayMs });
}

for (const [clock, wallMs] of [
  ["in 1970", 0],
  ["an hour late", WALL_MS - HOUR_MS],
] as const)
  for (const awayMs of [50, 1_000, 20_000])
    t.test(`a root that lost its disk, its clock ${clock}, is root again after ${awayMs} ms away`, async (t) => {
      const mesh = meshOf(randomGraph(24, 30, seeded(5)), seeded(6));
      mesh.run(10_000);
      comeBack(mesh, bestRoot(mesh.alive(), 0)!, awayMs, { wallMs, lostDisk: true });
      const tookMs = mesh.runUntil(() => faults(mesh).length === 0, 15_000);
      t.ok(tookMs <= 8_000, `${tookMs} ms`);
      t.same(faults(mesh), []);
    });

t.test(
  "a relay that lost its disk, its clock in 1970, finds back into every table, and so does what hangs below it",
  async (t) => {
    const mesh = meshOf(grid(6, 6), seeded(7));
    mesh.run(10_000);
    for (const member of mesh.members.slice(0, 36).filter((_, i) => i % 5 === 1)) {
      comeBack(mesh, member, 500, { wallMs: 0, lostDisk: true });
      const tookMs = mesh.runUntil(() => faults(mesh).length === 0, 20_000);
      t.ok(tookMs <= 10_000, `${tookMs} ms`);
      if (!Number.isFinite(tookMs)) t.same(faults(mesh), []);
    }
  },
);

t.test("a root whose seqs are used up stops no honest node", async (t) => {
  const mesh = meshOf(grid(3, 3), seeded(8));
  const puppet = Puppet.in(mesh);
  mesh.run(3_000);
  const [a, b] = [mesh.members[0]!, mesh.members[1]!];
  mesh.link(puppet, a);
  mesh.link(puppet, b);
  for (let tree = 0; tree < TREE_COUNT; tree++)
    for (const to of [a, b]) puppet.announce(to, tree, puppet.signer.asRoot(tree, EPOCH_MAX));
  mesh.run(3_000);
  mesh.cut(puppet, a);
  mesh.cut(puppet, b);
  mesh.run(10_000);
  t.same(
    mesh.alive().flatMap((member) => member.violations),
    [],
    "nobody asks for a seq that no frame can name",
  );
  t.same(faults(mesh), []);
});

t.test("a liar's request moves a root's seq, within bounds, and the tree goes on", async (t) => {
  const mesh = meshOf(grid(3, 3), seeded(9));
  const puppet = Puppet.in(mesh);
  mesh.run(3_000);
  const root = bestRoot(mesh.alive(), 0)!;
  mesh.link(puppet, root);
  mesh.run(100);
  puppet.say(root, SEQ_REQUEST.encode({ tree: 0, root: root.key, seq: EPOCH_MAX, hops: 0 }));
  mesh.run(2_000);
  t.ok(root.trees.trees[0]!.seq < WALL_MS + HOUR_MS, "above the bound it does not count");
  puppet.say(root, SEQ_REQUEST.encode({ tree: 0, root: root.key, seq: EPOCH_HINT_MAX, hops: 0 }));
  mesh.run(2_000);
  t.ok(root.trees.trees[0]!.seq >= EPOCH_HINT_MAX);
  t.ok(root.trees.trees[0]!.seq < EPOCH_HINT_MAX + 100);
  t.same(faults(mesh), []);
  t.equal(puppet.heardOf(Kind.ANNOUNCE).length > 0, true);
});
