import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { RunReport } from "../../sim/run.js";
import { ROOT } from "../tidy/repository.js";

const sim = (...args: string[]) =>
  spawnSync(process.execPath, [`${ROOT}build/sim/program/main.js`, ...args], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "" },
  });

/** The program with a deliberate fault in the code. */
const withFault = (name: string, ...args: string[]) =>
  spawnSync(
    process.execPath,
    ["--import", `${ROOT}build/sim/program/mutant-register.js`, `${ROOT}build/sim/program/main.js`, ...args],
    { encoding: "utf8", env: { ...process.env, NODE_OPTIONS: "", PINYON_SIM_MUTANT: name } },
  );

t.test(
  "a scenario from a file runs over a graph from a file, and leaves a report, a table and a summary",
  async (t) => {
    const folder = t.testdir({
      "small.json": JSON.stringify({
        name: "small",
        about: "a relay of five dies",
        graph: { kind: "ring", nodes: 5 },
        forS: 12,
        contactsPerS: 5,
        events: [{ atS: 6, do: "crash", nodes: [1] }],
      }),
      "ring.txt": "# five in a ring\na b\nb c 20\nc d\nd e 5\ne a\n",
    });
    const [json, table] = [join(folder, "report.json"), join(folder, "table.csv")];
    const graph = join(folder, "ring.txt");
    const ran = sim("run", join(folder, "small.json"), "--seed", "3", "--graph", graph, "--json", json, "--csv", table);
    t.equal(ran.status, 0, ran.stderr);
    t.match(ran.stdout, /small, seed 3: 5 nodes, 5 links/);
    t.match(ran.stdout, /first contacts .* succeeded within two seconds/);
    const report = JSON.parse(readFileSync(json, "utf8")) as RunReport;
    t.equal(report.samples.length, 12);
    t.equal(report.samples.at(-1)!.nodesUp, 4);
    t.equal(readFileSync(table, "utf8").trim().split("\n").length, 13);
  },
);

t.test("exit codes tell a crash from a broken rule, and both from a mistake on the command line", async (t) => {
  t.equal(sim("fuzz", "--seeds", "44").status, 0);
  t.equal(sim("fuzz", "--seeds", "3..1").status, 2);
  const crash = withFault("canary: a timer throws", "fuzz", "--seeds", "44");
  t.equal(crash.status, 12);
  t.match(crash.stdout, /seed 44 fails, at commit/);
  t.match(crash.stdout, /again: npm run sim -- fuzz --seeds 44/);
  t.equal(withFault("hops are not counted", "fuzz", "--seeds", "1").status, 10);
});

t.test("prove tells a target missed from a row that crashed, and keeps what it measured", async (t) => {
  const folder = t.testdir({});
  const kept = join(folder, "kept.jsonl");
  const args = ["prove", "--nodes", "20", "--row", "cold-G", "--resume", kept];
  const ran = sim(...args);
  t.equal(ran.status, 0, ran.stderr);
  t.match(ran.stdout, /20 nodes start at once.*\n {2}met {2}cold-G +whole +[\d.]+ s +≤ 12 s/);
  t.match(ran.stdout, /1 of 1 met/);
  writeFileSync(kept, readFileSync(kept, "utf8").replace(/"ours":[\d.]+/, '"ours":null'));
  const again = sim(...args, "--json");
  t.equal(again.status, 1, "taken from the file");
  const [row, sum] = again.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  t.match(row, { row: "cold-G", seeds: 1, figures: [{ what: "whole", ours: null, target: 12, isMet: false }] });
  t.same(sum, { met: 0, of: 1, crashes: 0 });
  t.equal(sim("prove", "--row", "no such row").status, 2);
  const crashed = withFault("canary: a timer throws", "prove", "--nodes", "20", "--row", "cold-G");
  t.equal(crashed.status, 12);
  t.match(crashed.stdout, /MISS cold-G crashed: .*handleTimeout.*ended with 1/s);
  t.match(crashed.stdout, /0 of 1 met/);
});

t.test("a seed that fails is shrunk, and the command that is printed fails in the same way", async (t) => {
  const fault = "hops are not counted";
  const { status, stdout } = withFault(fault, "fuzz", "--seeds", "1", "--shrink");
  t.equal(status, 10);
  const [whole, small] = stdout.split("the smallest found in");
  const nodes = (text: string | undefined) => Number(/"nodes":(\d+)/.exec(text!)![1]);
  t.ok(nodes(small) < nodes(whole), `${nodes(small)} nodes of ${nodes(whole)}`);
  t.match(small, /"faults":0/);
  const [, swarm] = /again: npm run sim -- fuzz --seeds 1 --swarm '(.*)'/.exec(small!)!;
  const again = withFault(fault, "fuzz", "--seeds", "1", "--swarm", swarm!);
  t.equal(again.status, 10);
  t.equal(/hops at .*/.exec(again.stdout)![0], /hops at .*/.exec(small!)![0]);
  t.match(sim("fuzz", "--seeds", "1", "--swarm", '{"node":3}'), { status: 2, stderr: /an object with some of graph/ });
});
