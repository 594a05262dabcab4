import t from "tap";
import { idOf } from "../../src/router/entry.js";
import { Budget } from "../../src/wire/budget.js";
import { RegOp, RegRefusal } from "../../src/wire/control.js";
import { REG_ENTRIES_MAX } from "../../src/wire/limits.js";
import { CONFIG, entry, ids, keyOf, names, Table } from "./table.js";

t.test("changes go up together, deletions with them, and nothing that is known already", async (t) => {
  const table = new Table(1);
  table.attach(2, 2, [entry(1, 2, 1)]);
  table.subtree.upward.handleParent(9, entry(90, 1, 50), 0);
  table.runTo(1_000);
  table.sent.length = 0;
  table.update(2, 2, [entry(2, 5, 10), entry(5, 6, 10)], [], 1_000);
  table.update(2, 2, [entry(2, 7, 10)], [], 1_010);
  table.update(2, 2, [entry(2, 8, 10)], [7], 1_020);
  table.runTo(2_000);
  t.same(
    table.sent.map(({ reg }) => [names(reg.adds), ids(reg.dels)]),
    [[[5, 6, 8], []]],
  );
  table.update(2, 2, [entry(2, 5, 10)], [8], 2_000);
  table.runTo(3_000);
  t.same(
    table.sent.slice(1).map(({ reg }) => [names(reg.adds), ids(reg.dels)]),
    [[[], [8]]],
  );
});

t.test("the keys of a lost link are kept upwards for 3 s, those of a child that left for no time", async (t) => {
  const table = new Table(1);
  table.attach(2, 2, [entry(1, 2, 1), entry(2, 5, 10)]);
  table.attach(3, 3, [entry(1, 3, 1)]);
  table.subtree.upward.handleParent(9, entry(90, 1, 50), 0);
  table.runTo(1_000);
  table.sent.length = 0;
  table.subtree.handleLinkDown(2, 1_000);
  t.equal(table.portOf(5), 0, "here it is gone at once");
  table.subtree.handleDetach(3, 1_000);
  table.runTo(1_000 + CONFIG.batchMs);
  t.same(
    table.sent.map(({ reg }) => ids(reg.dels)),
    [[3]],
  );
  table.runTo(1_000 + CONFIG.lostKeyMs - 1);
  t.equal(table.sent.length, 1);
  table.runTo(1_000 + CONFIG.lostKeyMs);
  t.same(ids(table.sent[1]!.reg.dels).sort(), [2, 5]);
});

t.test("a key that comes back elsewhere while its deletion is held is never deleted", async (t) => {
  const table = new Table(1);
  table.attach(2, 2, [entry(1, 2, 1), entry(2, 5, 10)]);
  table.attach(3, 3, [entry(1, 3, 1)]);
  table.subtree.upward.handleParent(9, entry(90, 1, 50), 0);
  table.runTo(1_000);
  table.sent.length = 0;
  table.subtree.handleLinkDown(2, 1_000);
  table.update(3, 3, [entry(3, 5, 11)], [], 1_500);
  table.runTo(10_000);
  t.same(
    table.sent.map(({ reg }) => [names(reg.adds), ids(reg.dels)]),
    [
      [[5], []],
      [[], [2]],
    ],
  );
});

t.test("the old parent keeps the set until the new one has it", async (t) => {
  const table = new Table(1);
  table.attach(2, 2, [entry(1, 2, 1)]);
  table.subtree.upward.handleParent(8, entry(80, 1, 50), 0);
  table.runTo(1_000);
  table.sent.length = 0;
  table.subtree.upward.handleOrphan();
  table.update(2, 2, [entry(2, 5, 10)], [], 1_000);
  table.runTo(1_500);
  t.same(
    table.sent.map(({ port, reg }) => [port, names(reg.adds)]),
    [[8, [5]]],
    "an orphan's parent is told on",
  );
  table.subtree.upward.handleParent(9, entry(90, 1, 51), 1_500);
  table.runTo(1_500 + CONFIG.attachMs);
  const later = table.sent.slice(1).map(({ port, reg }) => [port, reg.op]);
  t.same(later, [
    [8, RegOp.DETACH],
    [9, RegOp.ATTACH],
  ]);
  table.subtree.upward.handleNoParent();
  t.same(
    table.sent.slice(3).map(({ port, reg }) => [port, reg.op]),
    [[9, RegOp.DETACH]],
  );
});

t.test("a parent is not told what lives behind itself", async (t) => {
  const table = new Table(1);
  table.attach(2, 2, [entry(1, 2, 1), entry(2, 5, 10)]);
  table.attach(3, 3, [entry(1, 3, 1)]);
  table.subtree.upward.handleParent(2, entry(2, 1, 50), 0);
  table.runTo(1_000);
  t.same(names(table.sent[0]!.reg.adds), [1, 3]);
  table.subtree.handleDetach(2, 1_000);
  table.update(3, 3, [entry(3, 5, 11)], [], 1_000);
  table.runTo(5_000);
  t.same(
    table.sent.slice(1).map(({ reg }) => [names(reg.adds), ids(reg.dels)]),
    [[[5], []]],
  );
});

t.test(
  "a refused epoch goes, its node is told, and what hangs below it goes up again after the newer one",
  async (t) => {
    const table = new Table(1);
    table.attach(2, 2, [entry(1, 2, 1), entry(2, 5, 10), entry(5, 6, 10), entry(6, 7, 10)]);
    table.subtree.upward.handleParent(9, entry(90, 1, 50), 0);
    table.runTo(1_000);
    table.sent.length = 0;
    t.equal(table.subtree.handleStale(keyOf(5).slice(0, 8), 10, 1_000), 0, "its own epoch is no news");
    t.equal(table.subtree.handleStale(keyOf(5).slice(0, 8), 20, 1_000), 2);
    t.same(
      [2, 5, 6, 7].map((name) => table.portOf(name)),
      [2, 0, 0, 0],
      "none of it is sent that way any more",
    );
    t.same(table.update(2, 2, [entry(5, 8, 1)]), [RegRefusal.DETACHED]);
    t.same(table.update(2, 2, [entry(2, 5, 21)], [], 1_200), []);
    t.same(
      [2, 5, 6, 7].map((name) => table.portOf(name)),
      [2, 2, 2, 2],
      "the child need not say again what it said",
    );
    table.runTo(2_000);
    t.same(
      table.sent.flatMap(({ reg }) => names(reg.adds)),
      [5, 6, 7],
    );
    table.runTo(20_000);
    t.same(
      table.sent.flatMap(({ reg }) => ids(reg.dels)),
      [],
    );
  },
);

/** A table below a parent that has room for four keys a child. */
function crowded(): { table: Table; parent: Table; deliver: (nowMs: number) => number } {
  const table = new Table(1);
  const parent = new Table(90, { ...CONFIG, childKeysMax: 4 });
  table.attach(2, 2, [entry(1, 2, 1), entry(2, 10, 1), entry(2, 11, 1)]);
  table.attach(3, 3, [entry(1, 3, 1), entry(3, 20, 1), entry(20, 21, 1)]);
  table.subtree.upward.handleParent(9, entry(90, 1, 50), 0);
  // Gives how many entries went up until then.
  const deliver = (nowMs: number) => {
    let offered = 0;
    table.runTo(nowMs);
    for (const { reg } of table.sent.splice(0)) {
      offered += reg.adds.length;
      if (reg.op === RegOp.ATTACH) parent.subtree.handleAttach(1, nowMs);
      for (const id of reg.dels) parent.subtree.handleDel(1, id, nowMs);
      for (const proof of reg.adds) {
        const refused = parent.subtree.check(1, idOf(keyOf(1)), proof);
        if (refused === undefined) parent.subtree.handleAdd(1, proof, nowMs);
        else table.subtree.upward.handleRefused({ tree: 0, id: proof.slice(32, 40), ...refused }, nowMs);
      }
    }
    return offered;
  };
  return { table, parent, deliver };
}

t.test("what a full parent refused is offered again, and taken once there is room", async (t) => {
  const { table, parent, deliver } = crowded();
  t.equal(deliver(1_000), 7);
  t.equal(parent.subtree.sizeOf(1), 4);
  table.update(2, 2, [], [10, 11], 1_000);
  table.subtree.handleDetach(2, 1_000);
  deliver(2_000);
  deliver(1_000 + CONFIG.offerMs);
  t.same(
    [3, 20, 21].map((name) => parent.portOf(name)),
    [1, 1, 1],
  );
  t.same(
    [2, 10, 11].map((name) => parent.portOf(name)),
    [0, 0, 0],
  );
  t.equal(table.subtree.upward.pollTimeout(), Number.POSITIVE_INFINITY, "nothing is due any more");
});

t.test("a parent that refuses for ever costs an offer a pause, and the pause grows", async (t) => {
  const { table, deliver } = crowded();
  deliver(1_000);
  let offers = 0;
  let most = 0;
  for (let ms = 1_100; ms <= 3_600_000; ms += 100) {
    const offered = deliver(ms);
    if (offered > 0) offers++;
    most = Math.max(most, offered);
    if (ms % 1_000 === 0) table.update(3, 3, [entry(20, 21, 1)], [], ms);
  }
  t.ok(offers >= 15 && offers <= 20, `${offers} offers in an hour`);
  t.equal(most, 3, "what was refused, and no more");
});

t.test("a refusal of what was not told, or was told anew, has no consequence", async (t) => {
  const { table } = crowded();
  table.runTo(1_000);
  const { upward } = table.subtree;
  for (const [name, epoch] of [
    [10, 9],
    [77, 1],
    [1, 49],
  ] as const)
    upward.handleRefused({ tree: 0, id: keyOf(name).slice(0, 8), reason: RegRefusal.FULL, epoch }, 1_000);
  t.equal(upward.pollTimeout(), Number.POSITIVE_INFINITY);
  upward.handleRefused({ tree: 0, id: keyOf(1).slice(0, 8), reason: RegRefusal.FULL, epoch: 50 }, 1_000);
  table.sent.length = 0;
  table.runTo(1_000 + CONFIG.offerMs);
  t.same(names(table.sent.flatMap(({ reg }) => reg.adds)), [1, 2, 3, 10, 20, 11, 21], "its own entry, then all");
});

t.test("what goes up keeps to the pace at which a parent has it checked", async (t) => {
  const table = new Table(1);
  const many = Array.from({ length: 5_000 }, (_, i) => entry(2, 100 + i, 1));
  table.attach(2, 2, [entry(1, 2, 1), ...many]);
  table.subtree.upward.handleParent(9, entry(90, 1, 50), 0);
  const parent = new Budget(CONFIG.signaturesPerSecond, CONFIG.signaturesBurst, 0);
  let taken = 0;
  let largest = 0;
  let behindMs = 0;
  for (let ms = 0; ms < 10_000; ms += 10) {
    table.runTo(ms);
    for (const { reg } of table.sent.splice(0)) {
      largest = Math.max(largest, reg.adds.length);
      taken += reg.adds.length;
      if (!parent.overdraw(0, ms)) behindMs = Math.max(behindMs, parent.paidMs() - ms);
      parent.overdraw(2 * reg.adds.length, ms);
    }
  }
  t.equal(taken, 5_002);
  t.ok(largest <= REG_ENTRIES_MAX);
  t.ok(behindMs < 300, `the parent is ${behindMs} ms behind`);
});

t.test("a chain of parents as long as a liar's quota, and a circle of them, end no process", async (t) => {
  const count = 12_000;
  const table = new Table(1, { ...CONFIG, signaturesBurst: 4 * count });
  const name = (i: number) => 100 + (i % count);
  table.attach(2, 2, [entry(1, 2, 1), ...Array.from({ length: count }, (_, i) => entry(2, name(i), 1))]);
  for (let i = 0; i < count - 1; i++) table.update(2, 2, [entry(name(i + 1), name(i), 2)]);
  table.subtree.upward.handleParent(9, entry(90, 1, 50), 0);
  t.doesNotThrow(() => table.runTo(2_000));
  table.update(2, 2, [entry(name(0), name(count - 1), 3)]);
  table.subtree.upward.handleParent(8, entry(80, 1, 51), 2_000);
  t.doesNotThrow(() => table.runTo(5_000));
  t.doesNotThrow(() => table.subtree.handleStale(keyOf(name(7)).slice(0, 8), 9, 5_000));
});
