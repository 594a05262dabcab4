import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { type FuzzResult, fuzz, LIVENESS, type Swarm } from "../fuzz.js";
import { type Shrunk, shrink } from "../shrink.js";
import { exitCodeOf } from "./exit-codes.js";
import { seedRange, swarmChanges } from "./options.js";
import { Progress } from "./progress.js";

interface Options {
  readonly seeds: number[];
  readonly json?: boolean;
  readonly keepGoing?: boolean;
  readonly shrink?: boolean;
  readonly swarm: Partial<Swarm>;
}

/** Runs that shrinking may take: some minutes. */
const RUNS_MAX = 200;

export function addFuzz(program: Command): void {
  program
    .command("fuzz")
    .description("run small networks that fail in every way: safety meanwhile, liveness after")
    .requiredOption("--seeds <A..B>", "seeds to run, one or a range", seedRange)
    .option("--json", "one line of JSON for each seed")
    .option("--keep-going", "do not stop at the first seed that fails")
    .option("--shrink", "look for the smallest swarm on which a seed that fails still does")
    .option("--swarm <JSON>", "in place of what the seed draws, as a shrunk seed has it", swarmChanges, {})
    .action(({ seeds, json, keepGoing, shrink: isShrunk, swarm }: Options) => {
      const crypto = nativeCrypto();
      const progress = new Progress(seeds.length, "seeds");
      const failed: FuzzResult[] = [];
      for (const seed of seeds) {
        const result = fuzz(seed, crypto, swarm);
        progress.step();
        if (json === true) console.log(JSON.stringify(result));
        if (result.failed.length === 0) continue;
        failed.push(result);
        if (json !== true) explain(result, swarm);
        if (isShrunk === true) explainShrunk(shrink(result, crypto, RUNS_MAX), json === true);
        if (keepGoing !== true) break;
      }
      progress.end();
      if (json !== true) console.log(`${progress.done} seeds, ${failed.length} failed`);
      process.exitCode = exitCodeOf(
        failed.flatMap((result) => result.failed),
        LIVENESS,
      );
    });
}

/** What a person needs to see it again. */
function explain({ seed, swarm, violations }: FuzzResult, changes: Partial<Swarm>): void {
  console.log(`seed ${seed} fails, at commit ${commit()}`);
  console.log(`  ${JSON.stringify(swarm)}`);
  for (const { checker, timeMs, text } of violations)
    console.log(`  ${checker} at ${(timeMs / 1_000).toFixed(3)} s: ${text}`);
  console.log(`  again: ${commandOf(seed, changes)}`);
  if (Object.keys(changes).length === 0) console.log(`  smaller: ${commandOf(seed, changes)} --shrink`);
}

function explainShrunk({ result, changes, runs }: Shrunk, isJson: boolean): void {
  if (isJson) console.log(JSON.stringify({ ...result, changes }));
  else {
    console.log(`the smallest found in ${runs} runs:`);
    explain(result, changes);
  }
}

function commandOf(seed: number, changes: Partial<Swarm>): string {
  // Undefined is left out by JSON, and null stands for it.
  const json = JSON.stringify(changes, (_, value) => (value === undefined ? null : value));
  return `npm run sim -- fuzz --seeds ${seed}${json === "{}" ? "" : ` --swarm '${json}'`}`;
}

/** The commit that the program was built from, as far as git knows. */
function commit(): string {
  try {
    const cwd = fileURLToPath(new URL(".", import.meta.url));
    return execFileSync("git", ["describe", "--always", "--dirty", "--abbrev=12"], { cwd, encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}
