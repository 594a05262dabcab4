import { join } from "node:path";
import { goInstall, whyNoGo } from "./go.js";
import { installOnce, type Tell } from "./install.js";

/** What the tests run. */
export const DENDRITE_VERSION = "0.13.8";
const PACKAGE = "github.com/matrix-org/dendrite/cmd/dendrite";

/** Why Dendrite cannot be built here, in a sentence that says what to do; undefined where it can. */
export function whyNoDendrite(): string | undefined {
  return whyNoGo("Dendrite", [1, 21]);
}

/**
 * The program `dendrite`, built from the Go module proxy: at the first call on a machine, which takes two minutes, 60 MB and 1 GB of Go's
 * own cache, and shared by all later ones, also at the same time.
 */
export async function installDendrite(tell: Tell): Promise<string> {
  const why = whyNoDendrite();
  if (why !== undefined) throw new Error(why);
  const folder = await installOnce(`dendrite-${DENDRITE_VERSION}`, tell, (folder) =>
    goInstall(folder, `${PACKAGE}@v${DENDRITE_VERSION}`, tell),
  );
  return join(folder, "dendrite");
}
