import { readFileSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { LIVENESS } from "../fuzz.js";
import { parseEdgeList } from "../graph-spec.js";
import { run } from "../run.js";
import type { Scenario } from "../scenario.js";
import { SCENARIOS } from "../scenarios/all.js";
import { csv, summary } from "../view/summary.js";
import { exitCodeOf } from "./exit-codes.js";
import { wholeNumber } from "./options.js";
import { Progress } from "./progress.js";
import { scenarioList } from "./scenarios-command.js";

interface Options {
  readonly seed: number;
  readonly nodes?: number;
  readonly graph?: string;
  readonly json?: string;
  readonly csv?: string;
}

export function addRun(program: Command): void {
  program
    .command("run <scenario>")
    .description("run one scenario: one of these, or a JSON file of the same form")
    .option("--seed <N>", "everything follows from it", wholeNumber, 1)
    .option("--nodes <N>", "another number of nodes", wholeNumber)
    .option("--graph <file>", "an edge list: two names and perhaps a delay in milliseconds a line")
    .option("--json <file>", "the whole report")
    .option("--csv <file>", "one line a second")
    .addHelpText("after", `\nScenarios:\n${scenarioList()}`)
    .action((name: string, options: Options) => {
      const scenario = scenarioOf(name, options.nodes);
      const progress = new Progress(scenario.forS, "seconds");
      const startMs = performance.now();
      const report = run(scenario, options.seed, {
        crypto: nativeCrypto(),
        ...(options.graph === undefined ? {} : { graph: parseEdgeList(readFileSync(options.graph, "utf8")) }),
        onSecond: () => progress.step(),
      });
      progress.end();
      if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 1)}\n`);
      if (options.csv !== undefined) writeFileSync(options.csv, csv(report.samples));
      const tookS = (performance.now() - startMs) / 1_000;
      console.log(summary(report));
      console.log(`It took ${tookS.toFixed(1)} s, ${(scenario.forS / tookS).toFixed(1)} times as fast as time.`);
      process.exitCode = exitCodeOf(report.failed, LIVENESS);
    });
}

/** A scenario by its name, or from a file. Throws where there is neither. */
function scenarioOf(name: string, nodes: number | undefined): Scenario {
  const known = SCENARIOS.find((scenario) => scenario.name === name);
  const scenario = known ?? (JSON.parse(readFileSync(name, "utf8")) as Scenario);
  return nodes === undefined ? scenario : { ...scenario, graph: { ...scenario.graph, nodes } };
}
