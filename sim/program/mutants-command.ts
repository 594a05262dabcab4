import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Command, Option } from "commander";
import type { FuzzResult, Swarm } from "../fuzz.js";
import { MUTANTS, type Mutant } from "../mutants.js";
import { ExitCode } from "./exit-codes.js";
import { seedRange } from "./options.js";
import { Progress } from "./progress.js";

/** What became of a mutant. */
interface Outcome {
  readonly mutant: Mutant;
  /** The seed on which its checker found it, undefined where none did. */
  readonly seed: number | undefined;
  /** What other checkers found on the way. */
  readonly others: readonly string[];
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

export function addMutants(program: Command): void {
  program
    .command("mutants")
    .description("put deliberate faults into the code, one after another: each must be found by its checker")
    .addOption(
      new Option("--seeds <A..B>", "seeds that each may take")
        .argParser(seedRange)
        .default(seedRange("1..60"), "1..60"),
    )
    .option("--only <text>", "only those whose name has it")
    .option("--json", "one line of JSON for each")
    .action(async ({ seeds, only = "", json }: { seeds: number[]; only?: string; json?: boolean }) => {
      const chosen = MUTANTS.filter(({ name }) => name.includes(only));
      const progress = new Progress(chosen.length + 1, "mutants");
      const outcomes: Outcome[] = [];
      /** For each swarm the last seed that a mutant took. */
      const lasts = new Map<string, number>();
      for (const mutant of chosen) {
        const outcome = await hunt(mutant, seeds);
        outcomes.push(outcome);
        const swarm = textOf(mutant.swarm);
        lasts.set(swarm, Math.max(lasts.get(swarm) ?? 0, outcome.seed ?? seeds.at(-1)!));
        console.log(json === true ? JSON.stringify(outcome) : row(outcome));
        progress.step();
      }
      let isSound = true;
      for (const [swarm, last] of lasts) isSound &&= await passes(`${seeds[0]}..${last}`, swarm);
      progress.end();
      const missed = outcomes.filter(({ seed }) => seed === undefined).length;
      if (json !== true) {
        console.log(`${outcomes.length - missed} of ${outcomes.length} faults found by their checkers`);
        console.log(`the code without faults ${isSound ? "passes" : "FAILS"} the same seeds`);
      }
      process.exitCode = !isSound ? ExitCode.CORRECTNESS : missed > 0 ? ExitCode.MISSED : ExitCode.OK;
    });
}

function row({ mutant, seed, others }: Outcome): string {
  const by = seed === undefined ? "NOT FOUND" : `seed ${seed}`;
  const also = others.length === 0 ? "" : `  also ${others.join(", ")}`;
  return `${mutant.name.padEnd(54)} ${mutant.caughtBy.padEnd(13)} ${by.padEnd(10)}${also}`;
}

/** Runs seeds on the mutant until its checker complains. Throws where none ran: a fault that was not put in was not missed. */
async function hunt(mutant: Mutant, seeds: readonly number[]): Promise<Outcome> {
  const args = ["--import", here("mutant-register.js"), here("main.js"), "fuzz", "--json", "--keep-going"];
  const swarm = ["--swarm", textOf(mutant.swarm)];
  const child = spawn(process.execPath, [...args, ...swarm, "--seeds", `${seeds[0]}..${seeds.at(-1)}`], {
    env: { ...process.env, PINYON_SIM_MUTANT: mutant.name },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const others = new Set<string>();
  let found: number | undefined;
  let isRun = false;
  for await (const line of createInterface({ input: child.stdout })) {
    isRun = true;
    if (found !== undefined) continue;
    const { seed, failed } = JSON.parse(line) as FuzzResult;
    for (const name of failed) if (name !== mutant.caughtBy) others.add(name);
    if (!failed.includes(mutant.caughtBy)) continue;
    found = seed;
    child.kill();
  }
  if (!isRun) throw new Error(`no seed ran with the fault "${mutant.name}": the lines above say why`);
  return { mutant, seed: found, others: [...others] };
}

const textOf = (swarm: Partial<Swarm>): string =>
  JSON.stringify(swarm, (_, value) => (value === undefined ? null : value));

/** True where the code as it is passes the seeds. */
function passes(range: string, swarm: string): Promise<boolean> {
  const child = spawn(process.execPath, [here("main.js"), "fuzz", "--seeds", range, "--swarm", swarm], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return new Promise((resolve) => child.on("close", (code) => resolve(code === ExitCode.OK)));
}
