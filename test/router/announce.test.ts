import t, { type Test } from "tap";
import type { Crypto } from "../../src/crypto/crypto.js";
import { EdgeMemory, makeEdge } from "../../src/router/edges.js";
import { CloseCode } from "../../src/wire/codes.js";
import { ANNOUNCE, ANNOUNCE_REQUEST, ANNOUNCE_RESET, type Announce, REQUEST_WHOLE } from "../../src/wire/control.js";
import { EDGE_CHILD_SIGNATURE_AT, EDGE_PARENT_SIGNATURE_AT, type EdgeBytes } from "../../src/wire/edge.js";
import { Kind } from "../../src/wire/kinds.js";
import { EDGE_BYTES, EDGE_HASH_BYTES, KEY_BYTES, LINK_EDGES_MAX, TREE_DEPTH_MAX } from "../../src/wire/limits.js";
import { grid, randomGraph, seeded } from "./graphs.js";
import { crypto, type Member, type Mesh, meshOf } from "./mesh.js";
import { hashOf, Puppet, Signer, withPort } from "./puppet.js";
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

t.test("an edge goes over a link in full once, and by its hash after", async (t) => {
  const { mesh, puppet, near } = besieged(1);
  const first = announcesIn(puppet);
  t.equal(first.filter(({ flags }) => flags === ANNOUNCE_RESET).length >= 1, true, "the first begins anew");
  const names = new Set<string>();
  const sizes = (announce: Announce) => announce.edges.map((edge) => edge.length);
  for (const announce of first)
    for (const edge of announce.edges) {
      if (edge.length === EDGE_HASH_BYTES) t.ok(names.has(edge.join()), "a hash names an edge that came before");
      else names.add(hashOf(edge).join());
    }
  puppet.say(near, ANNOUNCE_REQUEST.encode({ tree: 0, flags: 0 }));
  mesh.run(300);
  const again = announcesIn(puppet).at(-1)!;
  t.ok(sizes(again).every((size) => size === EDGE_HASH_BYTES));
  puppet.say(near, ANNOUNCE_REQUEST.encode({ tree: 0, flags: REQUEST_WHOLE }));
  mesh.run(300);
  const whole = announcesIn(puppet).at(-1)!;
  t.equal(whole.flags, ANNOUNCE_RESET);
  t.ok(
    sizes(whole).every((size) => size === EDGE_BYTES),
    "the whole where it is asked for",
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

t.test("both ends forget the same edges", async (t) => {
  const [sent, known] = [new EdgeMemory(), new EdgeMemory()];
  const random = seeded(3);
  const edges = Array.from({ length: 3_000 }, (_, i) => {
    const bytes = new Uint8Array(EDGE_BYTES);
    new DataView(bytes.buffer).setUint32(0, i);
    return makeEdge(crypto, 0, bytes.subarray(0, 32), bytes);
  });
  for (let i = 0; i < 20_000; i++) {
    const edge = edges[Math.min(2_999, random(40) === 0 ? random(3_000) : Math.floor(i / 7) + random(50))]!;
    if (sent.has(edge)) {
      if (known.get(edge.name) !== edge) t.fail("a hash is unknown");
    } else {
      sent.add(edge);
      known.add(edge);
    }
    if (sent.size !== known.size || sent.size > LINK_EDGES_MAX) t.fail("they differ in size");
  }
  t.equal(sent.size, LINK_EDGES_MAX);
});

t.test("more edges than a link remembers pass through honest nodes, and none is asked for again", async (t) => {
  const { mesh, puppet, near, lord } = besieged(4);
  let told = 0;
  for (let i = 1; told < 3 * LINK_EDGES_MAX; i++) {
    const edges = puppet.signer.chainBelow(lord, 0, 100, i * 1_000);
    puppet.announce(near, 0, lord.asRoot(0, i, edges), 0);
    told += edges.length;
    mesh.run(1_000);
    t.equal(near.trees.trees[0]!.position!.coordinates.length, 101);
  }
  t.same(
    mesh.alive().flatMap((member) => member.violations),
    [],
  );
  t.equal(
    mesh.alive().reduce((sum, member) => sum + member.stats.announcesUnknownEdge, 0),
    0,
  );
  mesh.cut(puppet, near);
  t.ok(mesh.runUntil(() => faults(mesh).length === 0, 15_000) < 15_000);
});

t.test("an unknown hash is answered by a request for the whole, and until it comes no heartbeat counts", async (t) => {
  const { mesh, puppet, near, lord } = besieged(5);
  const edge = puppet.signer.edgeBelow(lord, 0);
  puppet.announce(near, 0, lord.asRoot(0, 10, [edge]));
  mesh.run(300);
  t.equal(near.parent(0), puppet);
  const later = puppet.signer.edgeBelow(Signer.fresh(1), 0);
  puppet.announce(near, 0, lord.asRoot(0, 11, [Signer.fresh(1).edgeBelow(lord, 0), later].map(hashOf)), 0);
  puppet.heartbeat(near, 0, lord.asRoot(0, 12));
  mesh.run(100);
  const request = ANNOUNCE_REQUEST.decode(puppet.heardOf(Kind.ANNOUNCE_REQUEST).at(-1)!);
  t.same(request, { tree: 0, flags: REQUEST_WHOLE });
  t.equal(near.stats.announcesUnknownEdge, 1);
  t.equal(near.trees.trees[0]!.seq, 10, "a new seq is not put on an old path");
  t.equal(near.stats.heartbeatsIgnored, 1);
  puppet.announce(near, 0, lord.asRoot(0, 13, [Signer.fresh(1).edgeBelow(lord, 0), later]));
  puppet.heartbeat(near, 0, lord.asRoot(0, 14));
  mesh.run(100);
  t.equal(near.trees.trees[0]!.seq, 14);
  t.same(near.violations, []);
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
  "of an honest node": (_, __, near) => near.trees.trees[0]!.ancestry!.path.map(({ bytes }) => bytes),
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

t.test("an edge named by its hash counts where it was signed for, and nowhere else", async (t) => {
  const { mesh, puppet, near, lord } = besieged(7);
  const [a, b] = [Signer.fresh(1), Signer.fresh(2)];
  const [belowA, belowB] = [a.edgeBelow(lord, 0), b.edgeBelow(lord, 0)];
  const last = puppet.signer.edgeBelow(a, 0);
  puppet.announce(near, 0, lord.asRoot(0, 10, [belowA, last]));
  mesh.run(100);
  t.equal(near.parent(0), puppet);
  t.same(near.violations, []);
  puppet.announce(near, 0, lord.asRoot(0, 10, [belowB, hashOf(last)]), 0);
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
  "edges without a root": { root: new Uint8Array(0), seq: 0, signature: new Uint8Array(0), edges: [new Uint8Array(8)] },
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
      puppet.announce(near, 0, lord.asRoot(0, i, edges), ANNOUNCE_RESET);
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

/** Gives all edges of one child one hash. */
const weak = new Proxy(crypto, {
  get(target, name: keyof Crypto) {
    if (name === "name") return target.name;
    if (name !== "hash") return target[name].bind(target);
    return (message: Uint8Array) =>
      target.hash(message.subarray(0, message.length === EDGE_BYTES ? KEY_BYTES : undefined));
  },
});

t.test("edges of one hash, which a liar can make, close no honest link", async (t) => {
  const mesh = meshOf(randomGraph(20, 20, seeded(12)), seeded(13), { crypto: weak });
  const random = seeded(14);
  mesh.run(3_000);
  for (let i = 0; i < 30; i++) {
    const a = mesh.members[random(20)]!;
    const to = a.neighbours()[random(a.neighbours().length)];
    if (to === undefined) continue;
    mesh.cut(a, to);
    mesh.run(500);
    mesh.link(a, to);
    mesh.run(500);
  }
  t.ok(mesh.runUntil(() => faults(mesh).length === 0, 15_000) < 15_000);
  t.same(
    mesh.members.flatMap((member) => member.violations),
    [],
  );
});
