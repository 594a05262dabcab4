import t, { type Test } from "tap";
import { CloseCode } from "../../src/wire/codes.js";
import { ANNOUNCE, ANNOUNCE_REQUEST, type Announce, REQUEST_WHOLE } from "../../src/wire/control.js";
import { EDGE_CHILD_SIGNATURE_AT, EDGE_PARENT_SIGNATURE_AT, type EdgeBytes } from "../../src/wire/edge.js";
import { Kind } from "../../src/wire/kinds.js";
import { EDGE_BYTES, TREE_DEPTH_MAX } from "../../src/wire/limits.js";
import { grid, randomGraph, seeded } from "./graphs.js";
import { type Member, type Mesh, meshOf } from "./mesh.js";
import { Puppet, Signer, withPort } from "./puppet.js";
import { faults } from "./views.js";

/** A small grid at rest, a puppet linked to its first member, and a signer that beats all of them in tree 0. */
function besieged(seed: number): { mesh: Mesh; puppet: Puppet; near: Member; lord: Signer } {
  const mesh = meshOf(grid(3, 3), seeded(seed));
  const puppet = Puppet.in(mesh);
  mesh.run(5_000);
  const near = mesh.members[0]!;
  mesh.link(puppet, near);
  mesh.run(300);
  return { mesh, puppet, near, lord: Signer.best(mesh, 0) };
}

/** The puppet's link was closed with `code`, and the honest mesh is as whole as before. */
function isRefused(t: Test, mesh: Mesh, near: Member, code: CloseCode): void {
  const before = mesh.alive().map((member) => member.stats.rootChanges);
  mesh.run(100);
  t.same(
    near.violations.map((violation) => violation.code),
    [code],
  );
  mesh.run(5_000);
  const after = mesh.alive().map((member) => member.stats.rootChanges);
  t.same(after, before, "nobody changed root");
  t.same(faults(mesh), [], "the honest tree goes on");
}

const announcesIn = (puppet: Puppet) =>
  puppet.heardOf(Kind.ANNOUNCE).map((frame) => ANNOUNCE.decode(frame) as Announce);

t.test("the edges of the last announcement on a link are not told again", async (t) => {
  const { mesh, puppet, near } = besieged(1);
  const first = [0, 1, 2].map((tree) => announcesIn(puppet).find((announce) => announce.tree === tree)!);
  t.ok(first.every(({ keepPrefix, keepSuffix }) => keepPrefix + keepSuffix === 0));
  const { length } = near.trees.trees[0]!.path;
  puppet.say(near, ANNOUNCE_REQUEST.encode({ tree: 0, flags: 0 }));
  mesh.run(300);
  const again = announcesIn(puppet).at(-1)!;
  t.same([again.keepPrefix, again.keepSuffix, again.edges], [length, 0, []]);
  puppet.say(near, ANNOUNCE_REQUEST.encode({ tree: 0, flags: REQUEST_WHOLE }));
  mesh.run(300);
  const whole = announcesIn(puppet).at(-1)!;
  t.same([whole.keepPrefix, whole.keepSuffix], [0, 0], "the whole where it is asked for");
  t.same(whole.edges, near.trees.trees[0]!.path);
});

t.test("of a path that changed in its middle the edges around stay", async (t) => {
  const { mesh, puppet, near, lord } = besieged(12);
  const [a, b, c, d] = [1, 2, 3, 4].map((seed) => Signer.fresh(seed)) as [Signer, Signer, Signer, Signer];
  const [belowRoot, belowA, belowB] = [a.edgeBelow(lord, 0), b.edgeBelow(a, 0), c.edgeBelow(b, 0)];
  const last = puppet.signer.edgeBelow(c, 0);
  puppet.announce(near, 0, lord.asRoot(0, 10, [belowRoot, belowA, belowB, last]));
  mesh.run(300);
  const detour = [d.edgeBelow(a, 0), b.edgeBelow(d, 0, { treeEpoch: 2 })];
  puppet.announce(near, 0, lord.asRoot(0, 11, detour), 1, 2);
  mesh.run(300);
  const path = [belowRoot, ...detour, belowB, last];
  t.same(near.trees.trees[0]!.path.slice(0, -1), path, "they stand together");
  const other = near.neighbours().find((to) => to !== puppet)!;
  t.same(other.trees.trees[0]!.path.slice(0, 5), path, "and so they do farther on");
  puppet.say(near, ANNOUNCE_REQUEST.encode({ tree: 0, flags: 0 }));
  mesh.run(300);
  const announces = announcesIn(puppet).filter(({ tree, seq }) => tree === 0 && seq === 11);
  t.same([announces[0]!.keepPrefix, announces[0]!.edges, announces[0]!.keepSuffix], [1, detour, 3]);
  t.same(
    mesh.alive().flatMap((member) => member.violations),
    [],
  );
});

t.test("what is asked for again and again is sent ten times a second", async (t) => {
  const { mesh, puppet, near } = besieged(2);
  const before = puppet.heardOf(Kind.ANNOUNCE).length;
  for (let i = 0; i < 500; i++)
    mesh.at(i * 4, () => puppet.say(near, ANNOUNCE_REQUEST.encode({ tree: 0, flags: REQUEST_WHOLE })));
  mesh.run(2_500);
  const count = puppet.heardOf(Kind.ANNOUNCE).length - before;
  t.ok(count >= 19 && count <= 22, `${count} in two seconds`);
  t.equal(near.violations.length, 0);
  t.same(faults(mesh), []);
});

t.test("a path that changes again and again takes no more room", async (t) => {
  const { mesh, puppet, near, lord } = besieged(4);
  for (let i = 1; i <= 30; i++) {
    const edges = puppet.signer.chainBelow(lord, 0, 100, i * 1_000);
    puppet.announce(near, 0, lord.asRoot(0, i, edges));
    mesh.run(1_000);
    t.equal(near.trees.trees[0]!.position!.coordinates.length, 101);
  }
  for (const { trees } of mesh.alive()) t.ok(trees.edges.room.slots < 800, `${trees.edges.room.slots} slots`);
  t.same(
    mesh.alive().flatMap((member) => member.violations),
    [],
  );
  mesh.cut(puppet, near);
  t.ok(mesh.runUntil(() => faults(mesh).length === 0, 15_000) < 15_000);
});

/** Each gives edges that must not be taken. */
const forgeries: Record<string, (puppet: Puppet, lord: Signer, near: Member) => EdgeBytes[]> = {
  "with an invented half of the parent": (puppet, lord) => [
    withByte(puppet.signer.edgeBelow(lord, 0), EDGE_PARENT_SIGNATURE_AT),
  ],
  "with an invented signature of the child": (puppet, lord) => [
    withByte(puppet.signer.edgeBelow(lord, 0), EDGE_CHILD_SIGNATURE_AT),
  ],
  "with another port": (puppet, lord) => [withPort(puppet.signer.edgeBelow(lord, 0), 77)],
  "with another link epoch": (puppet, lord) => [withByte(puppet.signer.edgeBelow(lord, 0), 39)],
  "with another tree epoch": (puppet, lord) => [withByte(puppet.signer.edgeBelow(lord, 0), 45)],
  "of another tree": (puppet, lord) => [puppet.signer.edgeBelow(lord, 1)],
  "below another parent": (puppet) => [puppet.signer.edgeBelow(Signer.fresh(1), 0)],
  "of another child": (_, lord) => [Signer.fresh(1).edgeBelow(lord, 0)],
  "of an honest node": (_, __, near) => near.trees.trees[0]!.path,
  "that passes the root again": (puppet, lord) => [lord.edgeBelow(lord, 0), puppet.signer.edgeBelow(lord, 0)],
  "that passes a node twice": (puppet, lord) => {
    const [a, b] = [Signer.fresh(1), Signer.fresh(2)];
    return [a.edgeBelow(lord, 0), b.edgeBelow(a, 0), a.edgeBelow(b, 0), puppet.signer.edgeBelow(a, 0)];
  },
  "that ends before the announcer": (_, lord) => [Signer.fresh(1).edgeBelow(lord, 0)],
  "that ends behind the announcer": (puppet, lord) => [
    puppet.signer.edgeBelow(lord, 0),
    Signer.fresh(1).edgeBelow(puppet.signer, 0),
  ],
  "that is none, of a root that is not the announcer": () => [],
};

function withByte(edge: EdgeBytes, at: number): EdgeBytes {
  const other = edge.slice();
  other[at]! ^= 1;
  return other;
}

for (const [name, forge] of Object.entries(forgeries))
  t.test(`an edge or path ${name} closes the link`, async (t) => {
    const { mesh, puppet, near, lord } = besieged(6);
    puppet.announce(near, 0, lord.asRoot(0, 10, forge(puppet, lord, near)));
    isRefused(t, mesh, near, CloseCode.BAD_EDGE);
  });

/** Each announces, after a path of two edges, what keeps more or other edges than may be kept. */
const unkept: Record<string, (puppet: Puppet, near: Member, lord: Signer) => void> = {
  "that hung on another parent": (puppet, near, lord) =>
    puppet.announce(near, 0, lord.asRoot(0, 11, [Signer.fresh(2).edgeBelow(lord, 0)]), 0, 1),
  "that hung on another root": (puppet, near) =>
    puppet.announce(near, 0, Signer.fresh(3).asRoot(0, 11, [puppet.signer.edgeBelow(Signer.fresh(1), 0)]), 1, 0),
  "more than there are": (puppet, near, lord) => puppet.announce(near, 0, lord.asRoot(0, 11), 3, 0),
  twice: (puppet, near, lord) => puppet.announce(near, 0, lord.asRoot(0, 11), 2, 1),
  "of another tree": (puppet, near, lord) => puppet.announce(near, 1, lord.asRoot(1, 11), 2, 0),
  "of a path that was taken back": (puppet, near, lord) => {
    puppet.say(near, ANNOUNCE.encode({ tree: 0, ...nothing }));
    puppet.announce(near, 0, lord.asRoot(0, 11), 2, 0);
  },
};
const nothing = {
  root: new Uint8Array(0),
  seq: 0,
  signature: new Uint8Array(0),
  delayMs: 0,
  keepPrefix: 0,
  keepSuffix: 0,
  edges: [],
};

for (const [name, announce] of Object.entries(unkept))
  t.test(`to keep an edge ${name} closes the link`, async (t) => {
    const { mesh, puppet, near, lord } = besieged(7);
    const a = Signer.fresh(1);
    puppet.announce(near, 0, lord.asRoot(0, 10, [a.edgeBelow(lord, 0), puppet.signer.edgeBelow(a, 0)]));
    mesh.run(100);
    t.equal(near.parent(0), puppet);
    t.same(near.violations, []);
    announce(puppet, near, lord);
    mesh.run(100);
    t.same(
      near.violations.map(({ code }) => code),
      [CloseCode.BAD_EDGE],
    );
    t.ok(mesh.runUntil(() => faults(mesh).length === 0, 15_000) < 15_000);
  });

t.test("a root without its own heartbeat closes the link", async (t) => {
  const { mesh, puppet, near, lord } = besieged(8);
  const edge = puppet.signer.edgeBelow(lord, 0);
  puppet.announce(near, 0, { ...lord.asRoot(0, 10, [edge]), seq: 11 });
  isRefused(t, mesh, near, CloseCode.BAD_EDGE);
});

t.test("a root with the heartbeat of another tree closes the link", async (t) => {
  const { mesh, puppet, near, lord } = besieged(8);
  puppet.announce(near, 0, lord.asRoot(1, 10, [puppet.signer.edgeBelow(lord, 0)]));
  isRefused(t, mesh, near, CloseCode.BAD_EDGE);
});

for (const [name, told] of Object.entries({
  "edges without a root": {
    root: new Uint8Array(0),
    seq: 0,
    signature: new Uint8Array(0),
    edges: [new Uint8Array(EDGE_BYTES)],
  },
  "a root without a signature": { root: new Uint8Array(32), seq: 0, signature: new Uint8Array(0), edges: [] },
}))
  t.test(`${name} are malformed`, async (t) => {
    const { mesh, puppet, near } = besieged(9);
    puppet.announce(near, 0, told);
    isRefused(t, mesh, near, CloseCode.MALFORMED);
  });

t.test("the deepest path is followed by nobody, and a deeper one is malformed", async (t) => {
  const { mesh, puppet, near, lord } = besieged(10);
  const edges = puppet.signer.chainBelow(lord, 0, TREE_DEPTH_MAX, 1_000);
  puppet.announce(near, 0, lord.asRoot(0, 10, edges));
  mesh.run(2_000);
  t.same(near.violations, []);
  t.same(faults(mesh), [], "who would be deeper than that stays where he is");
  t.equal(near.received.get(Kind.SEQ_REQUEST) ?? 0, 0, "and asks nobody");
  puppet.announce(near, 0, lord.asRoot(0, 10, puppet.signer.chainBelow(lord, 0, TREE_DEPTH_MAX + 1, 2_000)));
  isRefused(t, mesh, near, CloseCode.MALFORMED);
});

t.test(
  "what a neighbour announces beyond its budget of signatures is put off, and asked for when it is paid",
  async (t) => {
    const { mesh, puppet, near, lord } = besieged(11);
    for (let i = 1; i <= 40; i++) {
      const edges = puppet.signer.chainBelow(lord, 0, 120, i * 1_000);
      puppet.announce(near, 0, lord.asRoot(0, i, edges));
    }
    mesh.run(100);
    t.same(near.violations, []);
    t.ok(near.stats.checksDelayed >= 20, `${near.stats.checksDelayed} of 40`);
    t.ok(near.trees.trees[0]!.seq < 25);
    puppet.heartbeat(near, 0, lord.asRoot(0, 50));
    mesh.run(2_000);
    t.ok(near.trees.trees[0]!.seq < 25, "no heartbeat is put on a path that was not read");
    const asked = puppet.heardOf(Kind.ANNOUNCE_REQUEST).map((frame) => ANNOUNCE_REQUEST.decode(frame));
    t.same(asked, [{ tree: 0, flags: REQUEST_WHOLE }]);
    puppet.announce(near, 0, lord.asRoot(0, 55), 120, 0);
    mesh.run(2_000);
    t.ok(near.trees.trees[0]!.seq < 25, "nor is a path read that keeps edges of one that was not");
    t.equal(near.stats.announcesUnread, 1);
    t.same(near.violations, []);
    puppet.announce(near, 0, lord.asRoot(0, 60, puppet.signer.chainBelow(lord, 0, 120, 90_000)));
    mesh.run(2_000);
    t.equal(near.trees.trees[0]!.seq, 60);
    mesh.cut(puppet, near);
    t.ok(mesh.runUntil(() => faults(mesh).length === 0, 15_000) < 15_000);
  },
);

t.test("nodes that can check little lose no link to nodes that can check much", async (t) => {
  const slow = { config: { signaturesBurst: 16, signaturesPerSecond: 16 } };
  const graph = randomGraph(40, 40, seeded(21));
  const mesh = meshOf(graph, seeded(22), { jitterMs: 10 }, (index) => (index % 3 === 0 ? slow : {}));
  t.ok(mesh.runUntil(() => faults(mesh).length === 0, 60_000) <= 30_000);
  const root = mesh.members[1]!;
  const near = root.neighbours();
  for (let i = 0; i < 3; i++) {
    mesh.kill(root, 500);
    mesh.run(5_000);
    mesh.restart(root);
    for (const to of near) mesh.link(root, to);
    mesh.run(5_000);
  }
  t.ok(mesh.runUntil(() => faults(mesh).length === 0, 60_000) <= 30_000);
  t.same(
    mesh.members.flatMap((member) => member.violations),
    [],
  );
  t.ok(mesh.members.reduce((sum, member) => sum + member.stats.checksDelayed, 0) > 10, "though much was put off");
});
