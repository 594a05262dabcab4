import { goInstall, whyNoGo } from "./go.js";
import { installOnce, type Tell } from "./install.js";

/** What the tests run. */
const PEBBLE_VERSION = "2.10.1";
const PACKAGE = "github.com/letsencrypt/pebble/v2/cmd";
const PROGRAMS = ["pebble", "pebble-challtestsrv"] as const;

/** Why Pebble cannot be built here, in a sentence that says what to do; undefined where it can. */
export function whyNoPebble(): string | undefined {
  return whyNoGo("Pebble, Let's Encrypt's ACME server for tests,", [1, 24]);
}

/**
 * The folder with the programs `pebble` and `pebble-challtestsrv`, built from the Go module proxy: at the first call on a machine, which takes
 * some seconds and 23 MB, and shared by all later ones.
 */
export function installPebble(tell: Tell): Promise<string> {
  return installOnce(`pebble-${PEBBLE_VERSION}`, tell, async (folder) => {
    for (const program of PROGRAMS) await goInstall(folder, `${PACKAGE}/${program}@v${PEBBLE_VERSION}`, tell);
  });
}
