import fc from "fast-check";
import t, { type Test } from "tap";
import { TREE_DEFAULTS } from "../../src/router/config.js";
import { equalBytes } from "../../src/wire/bytes.js";
import { CloseCode } from "../../src/wire/codes.js";
import { REG_REFUSED, RegRefusal, ROOT_LOST, SEQ_REQUEST } from "../../src/wire/control.js";
import { Kind, kindOf } from "../../src/wire/kinds.js";
import { EPOCH_MAX } from "../../src/wire/limits.js";
import { fuzzRuns } from "../fuzz/runs.js";
import { mutate, mutation } from "../wire/mutate.js";
import { grid, seeded } from "./graphs.js";
import { type Member, type Mesh, meshOf } from "./mesh.js";
import { Puppet, Signer } from "./puppet.js";
import { bestRoot, faults } from "./views.js";

/** A grid at rest, a puppet linked to its first member, and the root of tree 0. */
function besieged(seed: number, config = {}): { mesh: Mesh; puppet: Puppet; near: Member; root: Member } {
  const mesh = meshOf(grid(4, 4), seeded(seed), { config });
  const puppet = Puppet.in(mesh);
  mesh.run(5_000);
  const root = bestRoot(mesh.alive(), 0)!;
  const near = mesh.members[0]!;
  mesh.link(puppet, near);
  mesh.run(500);
  return { mesh, puppet, near, root };
}

function received(mesh: Mesh, kind: number): number {
  return mesh.members.reduce((sum, member) => sum + (member.isHonest ? (member.received.get(kind) ?? 0) : 0), 0);
}

const rootsOf = (mesh: Mesh) => mesh.alive().map((member) => member.stats.rootChanges);

/** Runs, and holds that no honest member lost its place and no honest link was closed. */
function holdsThrough(t: Test, mesh: Mesh, durationMs: number): void {
  const before = rootsOf(mesh);
  mesh.run(durationMs);
  t.same(rootsOf(mesh), before, "nobody changes root");
  t.same(faults(mesh), [], "the honest tree is as it was");
  for (const member of mesh.alive())
    for (const { port } of member.violations)
      t.notOk([...member.wires.keys()].includes(port), "no honest link was closed");
}

/** A former child of the root: it has an edge that both signed. */
function formerChild(mesh: Mesh, puppet: Puppet, root: Member): Uint8Array {
  mesh.link(puppet, root);
  const edge = puppet.edgeBelow(root, 0, 1);
  mesh.cut(puppet, root);
  return edge;
}

t.test("a report of a lost root by nobody's child closes the link", async (t) => {
  const { mesh, puppet, near, root } = besieged(1);
  const edge = puppet.edgeOf(puppet.signer, 0);
  puppet.reportLost(near, 0, root.key, near.trees.trees[0]!.seq, edge);
  mesh.run(100);
  t.same(
    near.violations.map(({ code }) => code),
    [CloseCode.BAD_EDGE],
  );
  t.equal(received(mesh, Kind.ROOT_LOST), 1, "it went no further");
  holdsThrough(t, mesh, 10_000);
});

t.test("a report that names another child's edge closes the link", async (t) => {
  const { mesh, puppet, near, root } = besieged(2);
  const child = root.neighbours().find((to) => to.parent(0) === root)!;
  const edge = child.trees.trees[0]!.path[0]!;
  puppet.reportLost(near, 0, root.key, near.trees.trees[0]!.seq, edge);
  mesh.run(100);
  t.same(
    near.violations.map(({ code }) => code),
    [CloseCode.BAD_EDGE],
  );
  holdsThrough(t, mesh, 10_000);
});

for (const ahead of [1, 1_000, EPOCH_MAX])
  t.test(`a former child's report of a seq ${ahead} ahead is counted, and no more`, async (t) => {
    const { mesh, puppet, near, root } = besieged(3);
    const edge = formerChild(mesh, puppet, root);
    const seq = Math.min(EPOCH_MAX, near.trees.trees[0]!.seq + ahead);
    puppet.reportLost(near, 0, root.key, seq, edge);
    mesh.run(100);
    t.equal(near.stats.rootLostsIgnored, 1);
    t.equal(received(mesh, Kind.ROOT_LOST), 1);
    holdsThrough(t, mesh, 60_000);
  });

t.test("a former child's true report is answered once, and its replay is counted", async (t) => {
  const { mesh, puppet, near, root } = besieged(4);
  const edge = formerChild(mesh, puppet, root);
  const { seq } = near.trees.trees[0]!;
  const given = root.stats.seqsGiven;
  puppet.reportLost(near, 0, root.key, seq, edge);
  holdsThrough(t, mesh, 5_000);
  t.equal(root.stats.seqsGiven, given + 1);
  const passed = received(mesh, Kind.ROOT_LOST);
  t.ok(passed <= 2 * 24 + 1, `${passed}: once over each link and direction at most`);
  const ignored = near.stats.rootLostsIgnored;
  for (let i = 0; i < 100; i++) puppet.reportLost(near, 0, root.key, seq, edge);
  holdsThrough(t, mesh, 5_000);
  t.equal(near.stats.rootLostsIgnored, ignored + 100);
  t.equal(received(mesh, Kind.ROOT_LOST), passed + 100);
  t.equal(root.stats.seqsGiven, given + 1);
});

t.test(
  "a former child that reports every seq makes the root answer at its own pace, and the mesh stands",
  async (t) => {
    const { mesh, puppet, near, root } = besieged(5);
    const edge = formerChild(mesh, puppet, root);
    const before = received(mesh, Kind.ROOT_LOST);
    const givenBefore = root.stats.seqsGiven;
    for (let ms = 0; ms < 10_000; ms += 20)
      mesh.at(ms, () => puppet.reportLost(near, 0, root.key, near.trees.trees[0]!.seq, edge));
    holdsThrough(t, mesh, 12_000);
    const given = root.stats.seqsGiven - givenBefore;
    t.ok(given <= 10_000 / TREE_DEFAULTS.seqAnswerGapMs + 1, `${given} seqs`);
    const passed = received(mesh, Kind.ROOT_LOST) - before - 500;
    t.ok(passed <= given * 48 + 48, `${passed} frames for ${given} seqs`);
  },
);

t.test("requests for a seq are passed on and answered at a bounded rate, whoever asks", async (t) => {
  const { mesh, puppet, near, root } = besieged(6);
  const before = received(mesh, Kind.SEQ_REQUEST);
  for (let i = 0; i < 2_000; i++)
    mesh.at(i * 5, () => puppet.say(near, SEQ_REQUEST.encode({ tree: 0, root: root.key, seq: EPOCH_MAX, hops: 0 })));
  holdsThrough(t, mesh, 12_000);
  t.equal(near.violations.length, 0, "200 a second are within the budget of frames");
  const passed = received(mesh, Kind.SEQ_REQUEST) - before - 2_000;
  t.ok(passed <= 6 * 21, `${passed} went on`);
  t.ok(root.stats.seqsGiven <= 10_000 / TREE_DEFAULTS.seqAnswerGapMs + 2);
  t.ok(near.stats.seqRequestsIgnored >= 1_900, `${near.stats.seqRequestsIgnored} counted`);
});

t.test("a flood of requests costs the flooder its link, and keeps no other node from a better root", async (t) => {
  const { mesh, puppet, near, root } = besieged(7);
  for (let i = 0; i < 3_000; i++)
    mesh.at(i * 3, () => puppet.say(near, SEQ_REQUEST.encode({ tree: 0, root: root.key, seq: EPOCH_MAX, hops: 0 })));
  mesh.run(100);
  const beside = mesh.members[1]!;
  mesh.cut(near, beside);
  mesh.cut(near, mesh.members[4]!);
  mesh.run(3_000);
  t.notOk(equalBytes(near.trees.trees[0]!.rootKey!, root.key) && near !== root);
  mesh.link(near, beside);
  t.ok(mesh.runUntil(() => faults(mesh).length === 0, 5_000) <= 2_000);
  for (let i = 0; i < 6_000; i++) puppet.say(near, SEQ_REQUEST.encode({ tree: 1, root: root.key, seq: 1, hops: 0 }));
  mesh.run(100);
  t.same(
    near.violations.map(({ code }) => code),
    [CloseCode.FLOOD],
  );
  t.ok(near.stats.floods >= 1);
  mesh.run(3_000);
  t.same(faults(mesh), []);
});

/** A mesh that hangs below a puppet, the only child of a root that is not there. */
function led(seed: number): { mesh: Mesh; puppet: Puppet; near: Member; lord: Signer; edge: Uint8Array } {
  const { mesh, puppet, near } = besieged(seed);
  const lord = Signer.best(mesh, 0);
  const edge = puppet.signer.edgeBelow(lord, 0);
  puppet.announce(near, 0, lord.asRoot(0, 10, [edge]));
  mesh.run(2_000);
  if (near.parent(0) !== puppet) throw new Error("the mesh does not follow");
  return { mesh, puppet, near, lord, edge };
}

t.test("an invented heartbeat of the parent closes its link, and the mesh finds itself again", async (t) => {
  const { mesh, puppet, near, lord } = led(8);
  puppet.heartbeat(near, 0, { ...lord.asRoot(0, 11), seq: 12 });
  mesh.run(50);
  t.same(
    near.violations.map(({ code }) => code),
    [CloseCode.BAD_EDGE],
  );
  t.ok(mesh.runUntil(() => faults(mesh).length === 0, 20_000) <= 10_000);
});

t.test("a heartbeat counts from the parent only, and once", async (t) => {
  const { mesh, puppet, near, lord } = led(9);
  const other = Puppet.in(mesh);
  mesh.link(other, near);
  puppet.heartbeat(near, 0, lord.asRoot(0, 11));
  mesh.run(50);
  t.equal(near.trees.trees[0]!.seq, 11);
  const ignored = near.stats.heartbeatsIgnored;
  puppet.heartbeat(near, 0, lord.asRoot(0, 11));
  puppet.heartbeat(near, 0, lord.asRoot(0, 9));
  puppet.heartbeat(near, 0, Signer.fresh(1_000_000).asRoot(0, 20));
  other.heartbeat(near, 0, lord.asRoot(0, 12));
  mesh.run(50);
  t.equal(near.trees.trees[0]!.seq, 11);
  t.equal(near.stats.heartbeatsIgnored, ignored + 4);
  t.equal(near.violations.length, 0);
});

t.test("a root that gives a thousand seqs a second makes no honest node flood another", async (t) => {
  const { mesh, puppet, near, lord, edge } = led(12);
  const far = mesh.members[15]!;
  const before = far.received.get(Kind.HEARTBEAT) ?? 0;
  for (let i = 0; i < 10_000; i++)
    mesh.at(i, () => {
      if (i % 2 === 0) puppet.heartbeat(near, 0, lord.asRoot(0, 100 + i));
      else if (i % 100 === 1) puppet.reportLost(near, 0, lord.key, 99 + i, edge);
    });
  mesh.run(12_000);
  t.same(
    mesh.alive().flatMap((member) => member.violations),
    [],
  );
  const came = (far.received.get(Kind.HEARTBEAT) ?? 0) - before;
  t.ok(came >= 50 && came <= 130, `${came} heartbeats in ten seconds at the far end`);
  t.equal(far.trees.trees[0]!.seq, 100 + 9_998, "the last one counts");
  const reports = received(mesh, Kind.ROOT_LOST) - 100;
  t.ok(reports <= 48 * 40, `${reports} reports`);
});

t.test("a deep path that is all new ten times a second makes no honest node flood another", async (t) => {
  const { mesh, near } = besieged(13);
  const far = mesh.members[15]!;
  const puppets = [0, 1, 2].map(() => Puppet.in(mesh));
  for (const puppet of puppets) mesh.link(puppet, near);
  mesh.run(300);
  for (const [tree, puppet] of puppets.entries()) {
    const lord = Signer.best(mesh, tree);
    for (let i = 0; i < 30; i++) {
      const edges = puppet.signer.chainBelow(lord, tree, 90, 1_000 * (1 + i));
      mesh.at(150 * i, () => puppet.announce(near, tree, lord.asRoot(tree, 100 + i, edges)));
    }
  }
  mesh.run(12_000);
  t.same(
    mesh
      .alive()
      .flatMap((member) => member.violations)
      .filter(({ port }) => port < 4),
    [],
  );
  for (const tree of [0, 1, 2]) t.equal(far.trees.trees[tree]!.seq, 129, "the last one counts");
});

t.test("after a broken rule nothing more is taken from a link", async (t) => {
  const { puppet, near, root } = besieged(10);
  const { seq } = near.trees.trees[0]!;
  // Straight to the machine, as frames that came in one chunk.
  const port = near.portTo(puppet);
  const bad = ROOT_LOST.encode({
    tree: 0,
    root: root.key,
    seq,
    edge: puppet.edgeOf(puppet.signer, 0),
    signature: new Uint8Array(64),
  });
  for (let i = 0; i < 5; i++) near.handleFrame(bad, port);
  t.equal(near.violations.length, 1);
  t.equal(near.stats.rootLostsIgnored, 0);
});

t.test(
  "frames of others, whole and broken, at the wrong time and place, close the liar's link and nobody else's",
  async (t) => {
    const { mesh, puppet, near } = besieged(14);
    const heard: Uint8Array[] = [];
    let isListening = true;
    for (const to of mesh.alive()) {
      const { trees } = to;
      const handleControl = trees.handleControl.bind(trees);
      trees.handleControl = (frame, kind, port, nowMs) => {
        if (isListening) heard.push(frame.slice());
        handleControl(frame, kind, port, nowMs);
      };
    }
    const root = bestRoot(mesh.alive(), 0)!;
    const others = root.neighbours();
    mesh.kill(root, 500);
    mesh.run(5_000);
    mesh.restart(root);
    for (const to of others) mesh.link(root, to);
    mesh.run(5_000);
    mesh.run(30_000);
    const refused = { tree: 0, id: root.key.slice(0, 8), reason: RegRefusal.STALE, epoch: root.epochs.next() };
    for (let i = 0; i < 20; i++) heard.push(REG_REFUSED.encode(refused));
    t.equal(new Set(heard.map(kindOf)).size, 7, "frames of every kind");
    isListening = false;
    const port = near.portFor(puppet);
    fc.assert(
      fc.property(fc.nat(), fc.option(mutation, { freq: 3 }), (pick, change) => {
        if (near.portTo(puppet) === 0) mesh.link(puppet, near, { delayMs: 1 });
        const frame = heard[pick % heard.length]!;
        near.handleFrame(change === null ? frame.slice() : mutate(frame, change), port);
        mesh.wake(near);
        mesh.run(20);
      }),
      { numRuns: fuzzRuns(1_500) },
    );
    const broken = mesh.alive().flatMap((member) => member.violations.map((violation) => [member, violation.port]));
    t.ok(broken.length > 100, `${broken.length} links closed`);
    t.ok(broken.every(([member, at]) => member === near && at === port));
    mesh.cut(puppet, near);
    t.ok(mesh.runUntil(() => faults(mesh).length === 0, 15_000) <= 10_000);
  },
);
