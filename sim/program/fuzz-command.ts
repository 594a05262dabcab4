import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { type FuzzResult, fuzz, LIVENESS } from "../fuzz.js";
import { exitCodeOf } from "./exit-codes.js";
import { seedRange } from "./options.js";
import { Progress } from "./progress.js";

export function addFuzz(program: Command): void {
  program
    .command("fuzz")
    .description("run small networks that fail in every way: safety meanwhile, liveness after")
    .requiredOption("--seeds <A..B>", "seeds to run, one or a range", seedRange)
    .option("--json", "one line of JSON for each seed")
    .option("--keep-going", "do not stop at the first seed that fails")
    .action(({ seeds, json, keepGoing }: { seeds: number[]; json?: boolean; keepGoing?: boolean }) => {
      const crypto = nativeCrypto();
      const progress = new Progress(seeds.length, "seeds");
      const failed: FuzzResult[] = [];
      for (const seed of seeds) {
        const result = fuzz(seed, crypto);
        progress.step();
        if (json === true) console.log(JSON.stringify(result));
        if (result.failed.length === 0) continue;
        failed.push(result);
        if (json !== true) explain(result);
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
function explain({ seed, swarm, violations }: FuzzResult): void {
  console.log(`seed ${seed} fails, at commit ${commit()}`);
  console.log(`  ${JSON.stringify(swarm)}`);
  for (const { checker, timeMs, text } of violations)
    console.log(`  ${checker} at ${(timeMs / 1_000).toFixed(3)} s: ${text}`);
  console.log(`  again: npm run sim -- fuzz --seeds ${seed}`);
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
