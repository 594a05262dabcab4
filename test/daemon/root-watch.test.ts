import t from "tap";
import { ROOT_CHANGES_CALM, ROOT_CHANGES_KEPT, ROOT_UNREST_MS, ROOT_WATCH_MS } from "../../src/daemon/limits.js";
import { RootWatch } from "../../src/daemon/root-watch.js";
import { statusOf } from "../../src/daemon/status.js";
import { parsePeerUri } from "../../src/link/peer-uri.js";
import { until } from "../link/until.js";
import { runningDaemon, uriOf } from "./running.js";

const KEY = new Uint8Array(32).fill(1);
const OTHER = new Uint8Array(32).fill(2);

/** A root that goes and comes, five seconds each, from a moment on. */
function wobble(watch: RootWatch, fromMs: number, times: number): number {
  let nowMs = fromMs;
  for (let i = 0; i < times; i++, nowMs += 5_000) watch.handleChange(i % 2 === 0 ? KEY : OTHER, nowMs);
  return nowMs;
}

t.test("a node that joins sees several roots, and that is no change", async (t) => {
  const watch = new RootWatch(0);
  for (const nowMs of [0, 100, 200, 2_000]) watch.handleChange(KEY, nowMs);
  t.equal(watch.recentCount(2_000), 0);
  t.equal(watch.warning(2_000), undefined);
  t.equal(watch.changes.length, 4);
});

t.test("a root that wobbles is warned of in words, until it has been calm for some minutes", async (t) => {
  const watch = new RootWatch(1);
  watch.handleChange(KEY, 0);
  let nowMs = wobble(watch, 60_000, ROOT_CHANGES_CALM);
  t.equal(watch.warning(nowMs), undefined, "three changes are calm");
  nowMs = wobble(watch, nowMs, 1);
  t.match(watch.warning(nowMs), /^tree 1 changed its root 4 times in the last 10 minutes: .*`pinyon show trees`/);
  t.equal(watch.warning(nowMs + ROOT_WATCH_MS), undefined);
});

t.test("what is kept of changes is bounded, and the warning says so", async (t) => {
  const watch = new RootWatch(0);
  const nowMs = wobble(watch, 0, 10 * ROOT_CHANGES_KEPT);
  t.equal(watch.changes.length, ROOT_CHANGES_KEPT);
  t.equal(watch.recentCount(nowMs), ROOT_CHANGES_KEPT);
  t.match(watch.warning(nowMs), /at least 16 times/);
  for (let i = 0; i < 1_000; i++) watch.handleChange(KEY, nowMs + ROOT_WATCH_MS + i);
  t.ok(ROOT_UNREST_MS > 1_000);
  t.equal(watch.recentCount(nowMs + ROOT_WATCH_MS + 1_000), 1, "those at one time count once");
});

t.test("a daemon whose trees change their roots says so in its status", async (t) => {
  const [daemon, other] = [await runningDaemon(t), await runningDaemon(t)];
  t.same(
    daemon.roots.map(({ changes }) => changes.map(({ root }) => root)),
    [[daemon.name], [daemon.name], [daemon.name]],
    "it begins as its own root",
  );
  other.peers.add(parsePeerUri(uriOf(daemon)), "added");
  const changed = () => [...daemon.roots, ...other.roots].filter(({ changes }) => changes.length > 1);
  await until("one of the two has another root, in each tree", () => changed().length === 3);
  for (const { changes } of changed()) t.ok([daemon.name, other.name].includes(changes.at(-1)!.root!));
  t.notOk(statusOf(daemon).warnings.some((text) => text.includes("root")));
  const nowMs = daemon.clock.nowMs();
  for (let i = 1; i <= 4; i++) daemon.roots[2]!.handleChange(KEY, nowMs + 5_000 * i);
  const { warnings, trees } = statusOf(daemon);
  t.match(
    warnings.find((text) => text.startsWith("tree")),
    /^tree 2 changed its root \d times/,
  );
  t.ok(trees[2]!.rootChanges > ROOT_CHANGES_CALM);
});
