import t, { type Test } from "tap";
import { answerRequest } from "../../src/daemon/control-answers.js";
import type { ControlRequest, ResultOf } from "../../src/daemon/control-protocol.js";
import type { Daemon } from "../../src/daemon/daemon.js";
import { SHOWN_ROUTES_MAX } from "../../src/daemon/limits.js";
import { keyToName } from "../../src/wire/name.js";
import { until } from "../link/until.js";
import { runningDaemon, uriOf } from "./running.js";

const ask = <R extends ControlRequest>(daemon: Daemon, request: R) =>
  answerRequest(daemon, request) as Promise<ResultOf<R>>;

/** Three daemons in a line, when the trees are whole; `middle` is linked to both others. */
async function line(t: Test): Promise<{ daemons: Daemon[]; first: Daemon; middle: Daemon; last: Daemon }> {
  const daemons = [await runningDaemon(t), await runningDaemon(t), await runningDaemon(t)];
  const [first, middle, last] = daemons as [Daemon, Daemon, Daemon];
  await ask(first, { verb: "peer-add", uri: uriOf(middle) });
  await ask(last, { verb: "peer-add", uri: uriOf(middle) });
  const isWhole = (tree: number) => daemons.some(({ overlay }) => overlay.status().trees[tree]!.tableSize === 2);
  await until("each tree has all below its root", () => [0, 1, 2].every(isWhole));
  return { daemons, first, middle, last };
}

t.test("the trees show root, parent and why no other neighbour is the parent", async (t) => {
  const { daemons, first, middle, last } = await line(t);
  for (const tree of [0, 1, 2]) {
    const dumps = await Promise.all(daemons.map(async (one) => (await ask(one, { verb: "show-trees" }))[tree]!));
    const root = daemons[dumps.findIndex(({ state }) => state === "root")]!;
    for (const [i, dump] of dumps.entries()) {
      t.equal(dump.root, root.name, "all have one root");
      t.equal(dump.changes.at(-1)?.root, root.name);
      t.ok(dump.seq > 0 && dump.seqAgoMs !== null && dump.rootForMs !== null);
      const isRoot = daemons[i] === root;
      t.equal(dump.parent === null, isRoot);
      t.equal(dump.coordinates.length, dump.state === "root" ? 0 : middle === daemons[i] || middle === root ? 1 : 2);
      const verdicts = dump.neighbours.map(({ verdict }) => verdict);
      t.equal(verdicts.filter((verdict) => verdict === "parent").length, isRoot ? 0 : 1);
      t.equal(dump.neighbours.find(({ verdict }) => verdict === "parent")?.name, dump.parent ?? undefined);
      t.ok(
        verdicts.every((verdict) => verdict === "parent" || verdict === "below"),
        "whoever is not above is below",
      );
    }
  }
  t.equal((await ask(first, { verb: "show-trees" }))[0]!.neighbours.length, 1);
  t.equal((await ask(last, { verb: "show-trees" }))[0]!.neighbours[0]!.name, middle.name);
});

t.test("a leaf is nobody's parent, and shown so", async (t) => {
  const [daemon, leaf] = [await runningDaemon(t), await runningDaemon(t, { leaf: true })];
  await ask(leaf, { verb: "peer-add", uri: uriOf(daemon) });
  await until("the leaf has a parent", () => leaf.overlay.status().trees.every(({ parentPort }) => parentPort !== 0));
  for (const { neighbours } of await ask(daemon, { verb: "show-trees" })) t.equal(neighbours[0]!.verdict, "leaf");
  for (const { neighbours } of await ask(leaf, { verb: "show-trees" })) t.equal(neighbours[0]!.verdict, "parent");
});

t.test("the tables show the keys below each child, by the beginnings of their names", async (t) => {
  const { daemons } = await line(t);
  const tables = await Promise.all(daemons.map((daemon) => ask(daemon, { verb: "show-table" })));
  for (const tree of [0, 1, 2]) {
    const [rootTable] = tables.map((table) => table[tree]!).filter(({ keys }) => keys === 2);
    const below = rootTable!.children.flatMap((child) => child.below);
    t.equal(below.length, 2);
    for (const start of below) t.ok(daemons.some(({ name }) => name.startsWith(start)));
    for (const { children, keys } of tables.map((table) => table[tree]!)) {
      t.equal(
        children.reduce((sum, child) => sum + child.keys, 0),
        keys,
      );
      t.ok(
        children.every((child) => child.below.length === child.keys && daemons.some(({ name }) => name === child.name)),
      );
    }
  }
});

t.test("routes and ball show what a session brought", async (t) => {
  const { first, middle, last } = await line(t);
  t.same(await ask(first, { verb: "show-routes" }), { destinations: [], count: 0 });
  t.match(await ask(first, { verb: "show-balls" }), { records: 0, nodes: [{ hops: 1, links: null, toldBy: null }] });
  await first.overlay.connect(last.overlay.node.key);
  await until("the map has the others", () => first.overlay.node.router.paths.balls.map.size === 2);
  const { destinations, count } = await ask(first, { verb: "show-routes" });
  t.equal(count, 1);
  t.match(destinations, [{ name: last.name, routes: [{ state: "confirmed" }] }]);
  const [route] = destinations[0]!.routes;
  t.equal(route!.ports.length, 2);
  t.match(route!.foundBy, /^tree [0-2]$/);
  const { nodes, reachMs } = await ask(first, { verb: "show-balls" });
  t.equal(reachMs, null, "it has all that there is");
  t.ok(middle.name.startsWith(nodes[0]!.name) && last.name.startsWith(nodes[1]!.name), "the nearest first");
  t.match(nodes, [
    { hops: 1, links: 2, toldBy: "itself" },
    { hops: 2, links: 1 },
  ]);
});

t.test("what is shown is bounded, and says how much there is", async (t) => {
  const daemon = await runningDaemon(t);
  const { paths } = daemon.overlay.node.router;
  for (let i = 0; i < SHOWN_ROUTES_MAX + 10; i++)
    paths.handleHint(new Uint8Array(32).fill(i & 0xff).fill(i >> 8, 0, 1), Uint16Array.of(1, 2), daemon.clock.nowMs());
  const { destinations, count } = await ask(daemon, { verb: "show-routes" });
  t.equal(destinations.length, SHOWN_ROUTES_MAX);
  t.equal(count, SHOWN_ROUTES_MAX + 10);
});

t.test("the way to a node is explained by what was known, what was tried, and what came of it", async (t) => {
  const { first, middle, last } = await line(t);
  const searched = await ask(first, { verb: "explain", target: last.name });
  t.match(searched, { isSelf: false, neighbourPort: null, before: null, byLocator: null, failure: null });
  t.equal(searched.byKey.length, 3);
  t.ok(
    searched.byKey.every(({ way, name }) => way !== "stuck" && name === middle.name),
    "all lead by the middle",
  );
  t.same(
    searched.trace!.hops.map(({ name }) => name),
    [middle.name, last.name],
  );
  t.match(searched.after!.routes[0], { state: "confirmed", foundBy: /^tree/ });
  const again = await ask(first, { verb: "explain", target: last.name });
  t.match(again.before!.routes[0], { state: "confirmed" });
  t.equal(again.byLocator!.own!.distance, 2);
  t.match(again.byLocator!.neighbours, [{ name: middle.name, distance: 1 }]);
  t.equal(again.byLocator!.port, 1);
  const neighbour = await ask(first, { verb: "explain", target: middle.name });
  t.equal(neighbour.neighbourPort, 1);
  t.ok(neighbour.byKey.every(({ way }) => way === "neighbour"));
  t.match(await ask(first, { verb: "explain", target: first.name }), { isSelf: true, trace: { hops: [] } });
});

t.test("the way to a node that is away is explained all the same", async (t) => {
  const daemon = await runningDaemon(t);
  const target = keyToName(new Uint8Array(32).fill(7));
  const result = await ask(daemon, { verb: "explain", target });
  t.match(result, { trace: null, failure: /no way to the key was found/, before: null });
  t.same(
    result.byKey.map(({ way, port }) => [way, port]),
    [
      ["stuck", 0],
      ["stuck", 0],
      ["stuck", 0],
    ],
  );
});
