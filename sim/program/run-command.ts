import { readFileSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { LIVENESS } from "../fuzz.js";
import { parseEdgeList } from "../graph-spec.js";
import type { Graph } from "../graphs.js";
import { run } from "../run.js";
import type { Scenario } from "../scenario.js";
import { SCENARIOS } from "../scenarios/all.js";
import { csv, summary } from "../view/summary.js";
import { ExitCode, exitCodeOf } from "./exit-codes.js";
import { nearest } from "./nearest.js";
import { wholeNumber } from "./options.js";
import { Progress } from "./progress.js";
import { readScenario, ScenarioFileError } from "./scenario-file.js";
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
    .description("run one scenario: one of these, or a JSON or YAML file")
    .option("--seed <N>", "everything follows from it", wholeNumber, 1)
    .option("--nodes <N>", "another number of nodes", wholeNumber)
    .option("--graph <file>", "an edge list: two names and perhaps a delay in milliseconds a line")
    .option("--json <file>", "the whole report")
    .option("--csv <file>", "one line a second")
    .addHelpText("after", `\nScenarios:\n${scenarioList()}`)
    .action((name: string, options: Options) => {
      const scenario = orExplain(program, () => scenarioOf(name, options.nodes));
      const graph = options.graph === undefined ? undefined : orExplain(program, () => graphOf(options.graph!));
      const progress = new Progress(scenario.forS, "seconds");
      const startMs = performance.now();
      const report = run(scenario, options.seed, {
        crypto: nativeCrypto(),
        ...(graph === undefined ? {} : { graph }),
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

/** What is read; where that cannot be, its fault is told and the program ends. */
function orExplain<T>(program: Command, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ScenarioFileError) program.error(error.message, { exitCode: ExitCode.USAGE });
    throw error;
  }
}

function graphOf(file: string): Graph {
  try {
    return parseEdgeList(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ScenarioFileError(`${file} is no list of edges: ${(error as Error).message}`);
  }
}

/** A scenario by its name, or from a file. Throws a ScenarioFileError where there is neither. */
function scenarioOf(name: string, nodes: number | undefined): Scenario {
  const scenario =
    SCENARIOS.find((known) => known.name === name) ?? (isFile(name) ? readScenario(name) : unknown(name));
  return nodes === undefined ? scenario : { ...scenario, graph: { ...scenario.graph, nodes } };
}

const isFile = (name: string): boolean => /[./]/.test(name);

function unknown(name: string): never {
  const names = SCENARIOS.map((scenario) => scenario.name);
  const near = nearest(name, names);
  const hint = near === undefined ? `there are ${names.join(", ")}` : `the nearest is ${near}`;
  throw new ScenarioFileError(`no scenario is called ${name}: ${hint}; a file is named with its ending`);
}
