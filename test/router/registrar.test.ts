import t, { type Test } from "tap";
import { TREE_DEFAULTS, type TreeConfig } from "../../src/router/config.js";
import { encodeProof } from "../../src/router/entry.js";
import { CloseCode } from "../../src/wire/codes.js";
import { REG, REG_REFUSED, RegOp, RegRefusal, type RegRefused } from "../../src/wire/control.js";
import { EDGE_CHILD_SIGNATURE_AT } from "../../src/wire/edge.js";
import { Kind } from "../../src/wire/kinds.js";
import { EPOCH_HINT_MAX, REG_ENTRIES_MAX } from "../../src/wire/limits.js";
import { grid, seeded } from "./graphs.js";
import { type Member, type Mesh, meshOf, WALL_MS } from "./mesh.js";
import { Puppet, proofsAbove, Signer, withPort } from "./puppet.js";
import { bestRoot, faults, walk } from "./views.js";

const TREE = 0;

/** A grid at rest, and a puppet linked to its first member. */
function besieged(
  seed: number,
  config: Partial<TreeConfig> = {},
): { mesh: Mesh; puppet: Puppet; near: Member; root: Member } {
  const mesh = meshOf(grid(4, 4), seeded(seed), {}, (index) => (index === 0 ? { config } : {}));
  const puppet = Puppet.in(mesh);
  mesh.run(5_000);
  const near = mesh.members[0]!;
  mesh.link(puppet, near, { delayMs: 1 });
  mesh.run(300);
  return { mesh, puppet, near, root: bestRoot(mesh.alive(), TREE)! };
}

const portOf = (member: Member, key: Uint8Array) => member.trees.trees[TREE]!.childPort(key);
const refusalsTo = (puppet: Puppet) =>
  puppet.heardOf(Kind.REG_REFUSED).map((frame) => REG_REFUSED.decode(frame) as RegRefused);

/** An honest newcomer beside the attacked member is registered with the root all the same. */
function servesOthers(t: Test, mesh: Mesh, near: Member, root: Member): void {
  const guest = mesh.add();
  mesh.link(guest, near, { delayMs: 1 });
  mesh.run(1_500);
  const [tree] = [guest.trees.trees[TREE]!];
  t.ok(tree.parentPort !== 0 || guest === bestRoot(mesh.alive(), TREE));
  t.not(portOf(root, guest.key), 0, "an honest neighbour is registered meanwhile");
  t.ok(walk(root, guest, TREE));
}

t.test("a neighbour that attaches is in every table above, and so is what it names below itself", async (t) => {
  const { mesh, puppet, near, root } = besieged(1);
  const below = Signer.fresh(1);
  puppet.attach(near, TREE, 10, [encodeProof(puppet.key, puppet.edgeOf(below, TREE))]);
  mesh.run(1_000);
  for (const key of [puppet.key, below.key]) {
    t.equal(portOf(near, key), near.portTo(puppet));
    t.not(portOf(root, key), 0);
  }
  puppet.detach(near, TREE);
  mesh.run(1_000);
  for (const member of mesh.alive()) for (const key of [puppet.key, below.key]) t.equal(portOf(member, key), 0);
  t.same(near.violations, []);
});

/** Each gives the first entry of an ATTACH that is not the neighbour's own edge below us. */
const foreign: Record<string, (puppet: Puppet, near: Member) => Uint8Array> = {
  "below another parent": (puppet, near) => encodeProof(near.neighbours()[0]!.key, puppet.edgeBelow(near, TREE, 10)),
  "of another child": (puppet, near) => encodeProof(near.key, puppet.edgeOf(Signer.fresh(1), TREE)),
  "with another port": (puppet, near) => encodeProof(near.key, withPort(puppet.edgeBelow(near, TREE, 10), 9)),
  "with an invented signature": (puppet, near) => {
    const edge = puppet.edgeBelow(near, TREE, 10);
    edge[EDGE_CHILD_SIGNATURE_AT]! ^= 1;
    return encodeProof(near.key, edge);
  },
  "of another tree": (puppet, near) => encodeProof(near.key, puppet.edgeBelow(near, 1, 10)),
};

for (const [name, forge] of Object.entries(foreign))
  t.test(`who attaches by an edge ${name} loses the link`, async (t) => {
    const { mesh, puppet, near, root } = besieged(2);
    puppet.say(near, REG.encode({ tree: TREE, op: RegOp.ATTACH, dels: [], adds: [forge(puppet, near)] }));
    mesh.run(100);
    t.same(
      near.violations.map(({ code }) => code),
      [CloseCode.BAD_EDGE],
    );
    t.equal(portOf(near, puppet.key), 0);
    servesOthers(t, mesh, near, root);
  });

t.test("who attaches by the edge of an earlier link loses the link", async (t) => {
  const { mesh, puppet, near, root } = besieged(3);
  const stale = puppet.edgeBelow(near, TREE, 10);
  mesh.link(puppet, near, { delayMs: 1 });
  mesh.run(100);
  puppet.say(near, REG.encode({ tree: TREE, op: RegOp.ATTACH, dels: [], adds: [encodeProof(near.key, stale)] }));
  mesh.run(100);
  t.same(
    near.violations.map(({ code }) => code),
    [CloseCode.BAD_EDGE],
  );
  servesOthers(t, mesh, near, root);
});

t.test("who changes a set without having attached is counted, and no more", async (t) => {
  const { mesh, puppet, near } = besieged(4);
  puppet.update(near, TREE, [encodeProof(puppet.key, puppet.edgeOf(Signer.fresh(1), TREE))]);
  puppet.detach(near, TREE);
  mesh.run(100);
  t.equal(near.stats.regsUnattached, 2);
  t.same(near.violations, []);
  t.same(faults(mesh), []);
});

t.test("the first bad signature below a child closes its link, and all that it named is gone", async (t) => {
  const { mesh, puppet, near, root } = besieged(5);
  const [good, bad] = [Signer.fresh(1), Signer.fresh(2)];
  puppet.attach(near, TREE, 10, [encodeProof(puppet.key, puppet.edgeOf(good, TREE))]);
  mesh.run(500);
  t.not(portOf(root, good.key), 0);
  puppet.update(near, TREE, [encodeProof(puppet.key, withPort(puppet.edgeOf(bad, TREE), 7))]);
  mesh.run(100);
  t.same(
    near.violations.map(({ code }) => code),
    [CloseCode.BAD_EDGE],
  );
  for (const { key } of [puppet, good, bad]) t.equal(portOf(near, key), 0);
  mesh.run(TREE_DEFAULTS.lostKeyMs + 1_000);
  for (const { key } of [puppet, good, bad]) t.equal(portOf(root, key), 0);
  servesOthers(t, mesh, near, root);
});

t.test(
  "a key claimed by an edge that was seen elsewhere is refused, and nothing is sent to the claimant",
  async (t) => {
    const { mesh, puppet, near, root } = besieged(6);
    // A node far away, and every edge above it, as any neighbour of it heard them.
    const victim = mesh.members.find(
      (member) =>
        member.trees.trees[TREE]!.position!.coordinates.length >= 2 &&
        portOf(near, member.key) === 0 &&
        member !== near,
    )!;
    const claims = proofsAbove(victim, TREE);
    puppet.attach(near, TREE, 10, claims);
    mesh.run(500);
    t.equal(near.stats.regsRefused[RegRefusal.DETACHED], claims.length);
    t.same(
      refusalsTo(puppet).map(({ reason }) => reason),
      claims.map(() => RegRefusal.DETACHED),
    );
    t.equal(portOf(near, victim.key), 0);
    t.ok(walk(near, victim, TREE) && walk(root, victim, TREE));
    t.same(
      faults(mesh).filter((fault) => !fault.includes("keys of")),
      [],
    );
    t.same(near.violations, []);
  },
);

t.test("a former parent that holds on to a child is refused where the child is known", async (t) => {
  const { mesh, puppet, near, root } = besieged(7);
  const mover = mesh.add();
  mesh.link(mover, puppet, { delayMs: 1 });
  mesh.run(100);
  const old = mover.trees.peer(mover.portTo(puppet))!;
  // The mover once chose the puppet; it may not even remember.
  const edge = new Signer(mover.identity).trust.signEdge(TREE, old, 5);
  mesh.link(mover, near, { delayMs: 1 });
  mesh.run(2_000);
  puppet.attach(near, TREE, 10, [encodeProof(puppet.key, edge)]);
  mesh.run(500);
  t.equal(near.stats.regsRefused[RegRefusal.STALE], 1);
  t.ok(refusalsTo(puppet).some(({ reason, epoch }) => reason === RegRefusal.STALE && epoch > 5));
  t.equal(portOf(near, mover.key), near.portTo(mover));
  t.ok(walk(root, mover, TREE));
});

t.test("a node whose epoch is older than a former parent's claim learns of it, and takes its key back", async (t) => {
  const { mesh, puppet, near, root } = besieged(8);
  const mover = mesh.add();
  mesh.link(mover, puppet, { delayMs: 1 });
  mesh.run(100);
  const old = mover.trees.peer(mover.portTo(puppet))!;
  const edge = new Signer(mover.identity).trust.signEdge(TREE, old, WALL_MS + 10_000_000);
  const guest = mesh.add();
  mesh.link(guest, mover, { delayMs: 1 });
  mesh.run(1_000);
  puppet.attach(near, TREE, 10, [encodeProof(puppet.key, edge), proofsAbove(guest, TREE).at(-1)!]);
  mesh.run(1_000);
  for (const { key } of [mover, guest]) t.equal(portOf(near, key), near.portTo(puppet), "nothing newer is known");
  const beside = mesh.members[1]!;
  mesh.link(mover, beside, { delayMs: 1 });
  mesh.run(5_000);
  for (const to of [mover, guest]) {
    t.ok(walk(root, to, TREE) && walk(near, to, TREE));
    t.not(portOf(near, to.key), near.portTo(puppet));
  }
  t.same(
    mesh.alive().flatMap((member) => member.violations),
    [],
  );
});

t.test("a flood of registrations waits for its budget, then closes the link, and is never all in memory", async (t) => {
  const { mesh, puppet, near, root } = besieged(9, { signaturesBurst: 512, signaturesPerSecond: 256 });
  puppet.attach(near, TREE, 10);
  const entries = Array.from({ length: 4 * REG_ENTRIES_MAX }, (_, i) =>
    encodeProof(puppet.key, puppet.edgeOf(Signer.fresh(100 + i), TREE)),
  );
  for (let i = 0; i < entries.length; i += REG_ENTRIES_MAX)
    puppet.update(near, TREE, entries.slice(i, i + REG_ENTRIES_MAX));
  mesh.run(50);
  t.same(near.violations, []);
  const early = near.trees.subtrees[TREE]!.sizeOf(near.portTo(puppet));
  t.ok(early < (entries.length * 3) / 4, `${early} keys at once`);
  t.ok(near.stats.regsDelayed > 0);
  servesOthers(t, mesh, near, root);
  mesh.run(10_000);
  t.equal(near.trees.subtrees[TREE]!.sizeOf(near.portTo(puppet)), entries.length + 1, "what waited is taken in time");
  for (let i = 0; i < 100; i++) puppet.update(near, TREE, entries.slice(0, REG_ENTRIES_MAX));
  mesh.run(20);
  t.same(
    near.violations.map(({ code }) => code),
    [CloseCode.FLOOD],
  );
  t.equal(near.stats.floods, 1);
  servesOthers(t, mesh, near, root);
});

t.test("a child has a quota, a table another, and who is turned away is told", async (t) => {
  const { mesh, puppet, near, root } = besieged(10, { childKeysMax: 30, treeKeysMax: 60 });
  const entries = Array.from({ length: 50 }, (_, i) =>
    encodeProof(puppet.key, puppet.edgeOf(Signer.fresh(100 + i), TREE)),
  );
  puppet.attach(near, TREE, 10, entries);
  mesh.run(1_000);
  t.equal(near.trees.subtrees[TREE]!.sizeOf(near.portTo(puppet)), 30);
  t.equal(near.stats.regsRefused[RegRefusal.FULL], 21);
  t.equal(refusalsTo(puppet).filter(({ reason }) => reason === RegRefusal.FULL).length, 21);
  t.same(near.violations, []);
  servesOthers(t, mesh, near, root);
});

t.test("refusals are told at a bounded rate", async (t) => {
  const { mesh, puppet, near } = besieged(11);
  puppet.attach(near, TREE, 10);
  const detached = encodeProof(Signer.fresh(1).key, Signer.fresh(2).edgeBelow(Signer.fresh(1), TREE));
  for (let i = 0; i < 6; i++) puppet.update(near, TREE, new Array<Uint8Array>(REG_ENTRIES_MAX).fill(detached));
  mesh.run(100);
  t.equal(near.stats.regsRefused[RegRefusal.DETACHED], 6 * REG_ENTRIES_MAX);
  const told = refusalsTo(puppet).length;
  t.equal(near.stats.refusalsUntold, 6 * REG_ENTRIES_MAX - told);
  t.ok(told >= TREE_DEFAULTS.refusalsBurst && told <= TREE_DEFAULTS.refusalsBurst + 10, `${told} told`);
});

t.test("a leaf takes no registrations", async (t) => {
  const { mesh, puppet } = besieged(12);
  const leaf = mesh.add({ leaf: true });
  mesh.link(puppet, leaf);
  mesh.run(100);
  puppet.attach(leaf, TREE, 10);
  mesh.run(100);
  t.same(
    leaf.violations.map(({ code }) => code),
    [CloseCode.UNEXPECTED],
  );
});

/** The puppet as parent of a whole mesh in one tree. */
function led(seed: number): { mesh: Mesh; puppet: Puppet; near: Member } {
  const { mesh, puppet, near } = besieged(seed);
  const lord = Signer.best(mesh, TREE);
  puppet.announce(near, TREE, lord.asRoot(TREE, 10, [puppet.signer.edgeBelow(lord, TREE)]));
  mesh.run(3_000);
  if (near.parent(TREE) !== puppet) throw new Error("the mesh does not follow");
  return { mesh, puppet, near };
}

const refuse = (key: Uint8Array, epoch: number, reason: number = RegRefusal.STALE) =>
  REG_REFUSED.encode({ tree: TREE, id: key.slice(0, 8), reason, epoch });

t.test(
  "a parent that refuses our epoch for ever makes us renew it once a second, and costs the other trees nothing",
  async (t) => {
    const { mesh, puppet, near } = led(13);
    const before = near.stats.parentChanges;
    let epoch = WALL_MS + 1_000_000;
    for (let ms = 0; ms < 10_000; ms += 10) mesh.at(ms, () => puppet.say(near, refuse(near.key, (epoch += 1_000))));
    mesh.run(10_000);
    const renewals = near.stats.parentChanges - before;
    t.ok(renewals >= 5 && renewals <= 11, `${renewals} in ten seconds`);
    t.equal(near.parent(TREE), puppet);
    for (const tree of [1, 2])
      for (const member of mesh.alive().slice(1)) t.ok(walk(near, member, tree) && walk(member, near, tree));
    t.same(near.violations, []);
  },
);

t.test("a refusal counts from the parent, for an epoch that may be believed", async (t) => {
  const { mesh, puppet, near } = led(14);
  const { treeEpoch } = near.trees.trees[TREE]!;
  const child = mesh.members.find((member) => member.parent(TREE) === near)!;
  puppet.say(near, refuse(near.key, EPOCH_HINT_MAX + 1));
  puppet.say(near, refuse(child.key, EPOCH_HINT_MAX + 1));
  puppet.say(near, refuse(near.key, EPOCH_HINT_MAX, RegRefusal.FULL));
  puppet.say(near, refuse(near.key, treeEpoch));
  const other = Puppet.in(mesh);
  mesh.link(other, near);
  other.say(near, refuse(near.key, WALL_MS * 2));
  other.say(near, refuse(child.key, WALL_MS * 2));
  mesh.run(3_000);
  t.equal(near.trees.trees[TREE]!.treeEpoch, treeEpoch);
  t.ok(near.epochs.next() < WALL_MS + 1_000_000);
  t.equal(portOf(near, child.key), near.portTo(child));
  t.equal(near.stats.regRefusals, 4, "those of the parent are counted");
});

t.test("refusals of keys below us are heeded at a bounded rate", async (t) => {
  const { mesh, puppet, near } = led(16);
  const child = mesh.members.find((member) => member.parent(TREE) === near)!;
  for (let i = 0; i < 1_000; i++) puppet.say(near, refuse(child.key, WALL_MS + 2_000_000 + 1_000 * i));
  mesh.run(5);
  t.ok(near.stats.refusalsIgnored >= 1_000 - TREE_DEFAULTS.refusalsBurst - 10);
  t.equal(near.stats.regRefusals, 1_000);
  mesh.run(5_000);
  t.same(
    mesh.alive().flatMap((member) => member.violations),
    [],
  );
  t.not(portOf(near, child.key), 0);
});

t.test("a parent's lie about a key below us costs that key a moment", async (t) => {
  const { mesh, puppet, near } = led(15);
  const child = mesh.members.find((member) => member.parent(TREE) === near)!;
  const { treeEpoch } = child.trees.trees[TREE]!;
  puppet.say(near, refuse(child.key, WALL_MS + 5_000_000));
  mesh.run(20);
  t.equal(portOf(near, child.key), 0);
  mesh.run(2_000);
  t.ok(child.trees.trees[TREE]!.treeEpoch > treeEpoch);
  for (const member of mesh.alive())
    if (member !== near) t.ok(portOf(near, member.key) !== 0, "and all that hangs below it is there too");
});
