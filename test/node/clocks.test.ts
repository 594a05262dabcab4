import t, { type Test } from "tap";
import { ringWithChord } from "../../sim/graphs.js";
import { Network } from "../../sim/network.js";
import { toHex } from "../../src/wire/bytes.js";
import { crypto } from "./hello-pair.js";

const NODES = 6;
const WALL_MS = 1_780_000_000_000;
const HOUR_MS = 3_600_000;

/** Every node has a place in every tree, all under one root, and every pair pings. */
function isWhole(network: Network): boolean {
  const trees = network.hosts.map((_, index) => network.node(index).status().trees);
  return [0, 1, 2].every((tree) => {
    const roots = trees.map((places) => places[tree]!.root);
    return roots.every((root) => root !== undefined && toHex(root) === toHex(roots[0]!));
  });
}

function allPing(t: Test, network: Network, what: string): void {
  const questions = network.hosts.flatMap(({ index }) =>
    network.hosts.map(({ key }) => network.ask("ping", index, key)),
  );
  network.runUntil(() => questions.every(({ answer }) => answer !== undefined), 5_000);
  t.equal(questions.filter(({ answer }) => answer?.ok === true).length, NODES * NODES, what);
}

for (const seed of [1, 2, 3]) {
  const started = (wallMs = WALL_MS) => {
    const network = new Network({ seed, graph: ringWithChord(NODES), crypto, wallMs });
    network.run(3_000);
    return network;
  };
  /** The node that is root of tree 0: whose lost epochs everybody notices. */
  const rootOf = (network: Network) => {
    const root = toHex(network.node(0).status().trees[0]!.root!);
    return network.hosts.findIndex(({ key }) => toHex(key) === root);
  };

  t.test(`a network whose clocks start in 1970 works (seed ${seed})`, async (t) => {
    const network = started(0);
    t.ok(isWhole(network));
    allPing(t, network, "all ping");
  });

  for (const [what, options] of Object.entries({
    "a clock an hour back": { wallMs: WALL_MS - HOUR_MS },
    "a clock in 1970": { wallMs: 0 },
    "a lost disk": { withDisk: false, wallMs: WALL_MS + 60_000 },
    "a lost disk and a clock an hour back": { withDisk: false, wallMs: WALL_MS - HOUR_MS },
    "a lost disk and a clock in 1970": { withDisk: false, wallMs: 0 },
  })) {
    t.test(`a root that starts again with ${what} finds back (seed ${seed})`, async (t) => {
      const network = started();
      const root = rootOf(network);
      network.run(40_000);
      network.crash(root);
      network.run(2_000);
      network.restart(root, options);
      const atMs = network.nowMs;
      t.ok(network.pings((root + 2) % NODES, (root + 4) % NODES), "others are served meanwhile");
      const back = network.runUntil(() => network.isLinked() && isWhole(network), 20_000);
      t.ok(back, `whole again after ${Math.round(network.nowMs - atMs)} ms`);
      network.run(1_000);
      allPing(t, network, "all ping");
      const tables = network.hosts.flatMap(({ node }) => node!.status().trees.map(({ tableSize }) => tableSize));
      t.ok(
        tables.every((size) => size < NODES),
        "nobody is in a table twice",
      );
      t.ok(network.hosts.every(({ node }) => node!.linkStats.closed.every((count, code) => count === 0 || code === 9)));
    });
  }
}
