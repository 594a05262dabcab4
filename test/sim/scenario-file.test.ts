import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import t from "tap";
import { ADVERSARIES } from "../../sim/adversaries/all.js";
import { GRAPH_KINDS } from "../../sim/graph-spec.js";
import { ExitCode } from "../../sim/program/exit-codes.js";
import { readScenario, ScenarioFileError } from "../../sim/program/scenario-file.js";
import { HAPPENINGS } from "../../sim/program/scenario-schema.js";
import { SCENARIOS } from "../../sim/scenarios/all.js";
import { ROOT } from "../tidy/repository.js";

t.test("every named scenario has the form that a file must have", async (t) => {
  for (const scenario of SCENARIOS) {
    const folder = t.testdir({ "one.json": JSON.stringify(scenario) });
    t.same(readScenario(`${folder}/one.json`), scenario, scenario.name);
  }
});

t.test("YAML does as well, and what is left out has a default", async (t) => {
  const folder = t.testdir({
    "one.yaml": "graph: {kind: ring, nodes: 5}\nforS: 10\nevents:\n  - {atS: 3, do: heal-all}\n",
  });
  t.match(readScenario(`${folder}/one.yaml`), { contactsPerS: 20, events: [{ do: "heal-all" }] });
});

t.test("the page has a file that is one, and names every scenario's words", async (t) => {
  const page = readFileSync(`${ROOT}docs/simulator.md`, "utf8");
  const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(page)!;
  t.match(readScenario(`${t.testdir({ "page.yaml": yaml! })}/page.yaml`), { name: "my-scenario", flows: 4 });
  for (const word of [...Object.keys(HAPPENINGS), ...Object.keys(ADVERSARIES), ...GRAPH_KINDS])
    t.ok(new RegExp(`\\b${word}\\b`).test(page), word);
  for (const code of Object.values(ExitCode)) t.ok(page.includes(`\n| ${code} |`), `exit code ${code}`);
});

const WRONG: readonly (readonly [text: string, ...says: RegExp[]])[] = [
  ["{", /neither JSON nor YAML/],
  ["[]", /the file is \[\]: expected a scenario/],
  ["forS: 10", /graph is missing: expected \{kind: …, nodes: N\}/],
  [
    "graph: {kind: rnig, nodes: 5}\nforS: 10",
    /graph\.kind is "rnig": expected `ring`, the nearest of them; one of line/,
  ],
  ["graph: {kind: ring, nodes: 1}\nforS: x", /graph\.nodes is 1: expected a whole/, /forS is "x": expected a whole/],
  ["graph: {kind: ring, nodes: 5}\nforS: 9\nevnts: []", /evnts is not known: `events` is the nearest/],
  ["graph: {kind: ring, nodes: 5, degre: 2}\nforS: 9", /graph\.degre is not known: `degree` is the nearest/],
  ["graph: {kind: ring, nodes: 5}\nforS: 9\nevents: [{atS: 1, do: crsh}]", /events\[0\]\.do is "crsh": .*`crash`/],
  [
    "graph: {kind: ring, nodes: 5}\nforS: 9\nevents: [{atS: 1, do: crash, node: [1]}]",
    /events\[0\]\.nodes is missing: expected numbers of nodes/,
    /events\[0\]\.node is not known: `nodes` is the nearest/,
  ],
  [
    "graph: {kind: ring, nodes: 5}\nforS: 9\nevents: [{atS: 1, do: turn, nodes: [1], into: silent-droper}]",
    /events\[0\]\.into is "silent-droper": expected `silent-dropper`/,
  ],
  [
    "graph: {kind: ring, nodes: 5}\nforS: 9\nground: [5]\nevents: [{atS: 10, do: stop, nodes: [7]}, {atS: 1, do: stop, nodes: {relayOf: 0}}]",
    /ground\[0\] is 5: expected a node below 5/,
    /events\[0\]\.atS is 10: expected a time within the run of 9 s/,
    /events\[0\]\.nodes\[0\] is 7: expected a node below 5/,
    /events\[1\]\.nodes\.relayOf is 0: expected a flow below 0/,
  ],
];

t.test("a file that is no scenario is told line by line: where, what is there, what is expected", async (t) => {
  for (const [text, ...says] of WRONG) {
    const file = `${t.testdir({ "wrong.yaml": text })}/wrong.yaml`;
    try {
      readScenario(file);
      t.fail(text);
    } catch (error) {
      t.ok(error instanceof ScenarioFileError, text);
      for (const say of says) t.match((error as Error).message, say);
    }
  }
});

t.test("the program says so, names the nearest scenario, and exits as for any mistake", async (t) => {
  const sim = (...args: string[]) =>
    spawnSync(process.execPath, [`${ROOT}build/sim/program/main.js`, "run", ...args], { encoding: "utf8" });
  const file = `${t.testdir({ "wrong.yaml": "forS: 1", "edges.txt": "a\n" })}`;
  for (const [args, says] of [
    [["chrun"], /no scenario is called chrun: the nearest is churn/],
    [[`${file}/none.yaml`], /none\.yaml cannot be read/],
    [[`${file}/wrong.yaml`], /is no scenario:\n {2}graph is missing/],
    [["churn", "--graph", `${file}/edges.txt`], /is no list of edges: line 1/],
  ] as const) {
    const { status, stderr } = sim(...args);
    t.equal(status, 2, stderr);
    t.match(stderr, says);
  }
});
