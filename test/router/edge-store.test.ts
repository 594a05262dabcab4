import t from "tap";
import { EdgeStore } from "../../src/router/edge-store.js";
import { equalBytes } from "../../src/wire/bytes.js";
import { EDGE_BYTES, KEY_BYTES } from "../../src/wire/limits.js";
import { seeded } from "./graphs.js";

function edgeOf(...numbers: number[]): Uint8Array {
  const edge = new Uint8Array(EDGE_BYTES).fill(numbers.at(-1)!);
  for (const [i, number] of numbers.entries()) edge[i] = number;
  return edge;
}

const rootKey = (number: number): Uint8Array => new Uint8Array(KEY_BYTES).fill(number);

t.test("paths that come and go are what they were made of, in the room of those that are held", async (t) => {
  const random = seeded(1);
  const held: { root: number; tree: number; edges: Uint8Array[]; path: number }[] = [];
  const store = new EdgeStore((visit) => {
    for (const one of held) one.path = visit(one.path);
  });
  for (let i = 0; i < 3_000; i++) {
    const [root, tree] = [random(2), random(2)];
    const edges = Array.from({ length: random(5) }, (_, depth) =>
      edgeOf(depth + 1, random(depth < 2 ? 2 : i % 2 === 0 ? 1 : 60)),
    );
    let path = store.root(tree, rootKey(root));
    for (const edge of edges) path = store.intern(path, edge);
    held[random(20)] ??= { root, tree, edges, path };
    held[random(held.length)] = { root, tree, edges, path };
    for (let at = 0; at < held.length; at++) held[at] ??= { root, tree, edges, path };
    if (random(20) === 0) store.tidy();
    for (const { root, tree, edges, path } of held) {
      const again = edges.reduce((at, edge) => store.find(at, edge), store.root(tree, rootKey(root)));
      if (again !== path) t.fail("a path is not found again");
      const [first] = store.slots(path);
      if (!equalBytes(store.key(first!), rootKey(root))) t.fail("another root");
      const found = store.path(path);
      if (found.length !== edges.length || found.some((edge, i) => !equalBytes(edge, edges[i]!))) t.fail("other edges");
    }
  }
  t.ok(new Set(held.map(({ path }) => path)).size < held.length, "some are the same");
  for (const a of held)
    for (const b of held)
      if (a.path === b.path) t.ok(a.root === b.root && a.tree === b.tree, "one number, one path");
      else if (a.root === b.root && a.tree === b.tree) t.not(`${a.edges}`, `${b.edges}`, "one path, one number");
  store.tidy();
  t.ok(store.room.slots < 20 * 6 * 1.5, `${store.room.slots} slots`);
});

t.test("a path passes its ends and what is between, and nothing else", async (t) => {
  const store = new EdgeStore(() => {});
  let path = store.root(1, rootKey(9));
  for (let depth = 1; depth <= 5; depth++) path = store.intern(path, edgeOf(depth));
  const keyOf = (number: number) => edgeOf(number).subarray(0, KEY_BYTES);
  for (const key of [rootKey(9), ...[1, 2, 3, 4, 5].map(keyOf)]) t.ok(store.passes(path, key));
  t.notOk(store.passes(path, keyOf(6)));
});
