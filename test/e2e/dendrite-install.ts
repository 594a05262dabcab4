import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { installOnce, run, type Tell } from "./install.js";

/** What the tests run. */
export const DENDRITE_VERSION = "0.13.8";
const PACKAGE = "github.com/matrix-org/dendrite/cmd/dendrite";
const OLDEST_GO = [1, 21] as const;

/** Why Dendrite cannot be built here, in a sentence that says what to do; undefined where it can. */
export function whyNoDendrite(): string | undefined {
  let version: string;
  try {
    version = execFileSync("go", ["env", "GOVERSION"], { stdio: ["ignore", "pipe", "ignore"], encoding: "utf8" });
  } catch {
    return "Dendrite needs Go 1.21 or newer, and there is no program `go`: install it";
  }
  const [, major = 0, minor = 0] = /^go(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  if (major > OLDEST_GO[0] || (major === OLDEST_GO[0] && minor >= OLDEST_GO[1])) return undefined;
  return `Dendrite needs Go 1.21 or newer, and go is ${version.trim()}: install a newer one`;
}

/**
 * The program `dendrite`, built from the Go module proxy: at the first call on a machine, which takes two minutes, 60 MB and 1 GB of Go's
 * own cache, and shared by all later ones, also at the same time.
 */
export async function installDendrite(tell: Tell): Promise<string> {
  const why = whyNoDendrite();
  if (why !== undefined) throw new Error(why);
  const folder = await installOnce(`dendrite-${DENDRITE_VERSION}`, tell, async (folder) => {
    await run("go", ["install", `${PACKAGE}@v${DENDRITE_VERSION}`], {
      env: { GOBIN: folder },
      onLine: (line) => {
        const [, module] = /^go: downloading (\S+)/.exec(line) ?? [];
        if (module !== undefined) tell(`  ${module}`);
      },
    });
  });
  return join(folder, "dendrite");
}
