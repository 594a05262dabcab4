import type { Command } from "commander";
import { SCENARIOS } from "../scenarios/all.js";

/** The scenarios, a line each: what happens to the network, and of the attacks what they try. */
export function scenarioList(): string {
  return SCENARIOS.map(({ name, about }) => `  ${name.padEnd(20)} ${about}`).join("\n");
}

export function addScenarios(program: Command): void {
  program
    .command("scenarios")
    .description("list the scenarios that `run` knows by name")
    .option("--json", "all that is in them, in the form that a file has")
    .action(({ json }: { json?: boolean }) =>
      console.log(json === true ? JSON.stringify(SCENARIOS, null, 1) : scenarioList()),
    );
}
