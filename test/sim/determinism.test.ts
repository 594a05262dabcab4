import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import t from "tap";
import { makeGraph } from "../../sim/graph-spec.js";
import { Network } from "../../sim/network.js";
import { Random } from "../../sim/random.js";
import { Traffic } from "../../sim/traffic.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { ROOT } from "../tidy/repository.js";

const crypto = nativeCrypto();

/** A small network that starts, carries, loses a node and gets it back. */
function hashOf(seed: number): string {
  const random = new Random(seed);
  const graph = makeGraph({ kind: random.pick(["ring", "random", "geometric"]), nodes: 6, degree: 3 }, random);
  const network = new Network({ seed, graph, crypto, link: { loss: [1, 50], jitterMs: 5, reset: [1, 1_000] } });
  network.run(1_500);
  new Traffic(network).send(0, 3, 20_000);
  network.crash(1, random.chance(1, 2));
  network.run(1_000);
  network.restart(1);
  network.run(3_000);
  return `${network.hash} ${network.hash.count}`;
}

t.test("a hundred seeds give the same runs twice, and no two of them the same", async (t) => {
  const hashes = new Set<string>();
  for (let seed = 1; seed <= 100; seed++) {
    const hash = hashOf(seed);
    if (hash !== hashOf(seed)) t.fail(`seed ${seed}`);
    hashes.add(hash);
  }
  t.equal(hashes.size, 100);
});

for (const version of [22, 24]) {
  const binary = process.env[`PINYON_NODE_${version}`] ?? "";
  const skip = existsSync(binary) ? false : `no Node ${version} here: set PINYON_NODE_${version} to its binary`;
  t.test(`Node ${version} gives the same runs as this one`, { skip }, async (t) => {
    const args = [`${ROOT}build/sim/program/main.js`, "fuzz", "--seeds", "43..45", "--json", "--keep-going"];
    const env = { ...process.env, NODE_OPTIONS: "" };
    const [here, there] = [process.execPath, binary].map((node) => execFileSync(node, args, { env, encoding: "utf8" }));
    t.equal(there, here);
  });
}
