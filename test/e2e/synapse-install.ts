import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { installOnce, run, type Tell } from "./install.js";

/** What the tests and the demo run; others may do as well, but this one was seen to. */
export const SYNAPSE_VERSION = "1.163.2";
const OLDEST_PYTHON = [3, 10] as const;

/** Why Synapse cannot be had here, in a sentence that says what to do; undefined where it can. */
export function whyNoSynapse(): string | undefined {
  let version: string;
  try {
    const ask = "import sys, platform; print(platform.python_version()); import venv, ensurepip";
    version = execFileSync("python3", ["-c", ask], { stdio: ["ignore", "pipe", "ignore"], encoding: "utf8" });
  } catch (error) {
    const { code, stdout } = error as { code?: string; stdout?: string };
    if (code === "ENOENT") return "Synapse needs Python 3.10 or newer, and there is no python3: install it";
    version = stdout ?? "";
    if (!isTooOld(version)) return "Python lacks the module venv: install it (on Debian: apt install python3-venv)";
  }
  if (isTooOld(version))
    return `Synapse needs Python 3.10 or newer, and python3 is ${version.trim()}: install a newer one`;
  return undefined;
}

function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor < OLDEST_PYTHON[1]);
}

/**
 * The Python that has Synapse, out of PyPI: installed at the first call on a machine, which takes half a minute and 250 MB, and shared by
 * all later ones, also at the same time.
 */
export async function installSynapse(tell: Tell): Promise<string> {
  const why = whyNoSynapse();
  if (why !== undefined) throw new Error(why);
  const folder = await installOnce(`synapse-${SYNAPSE_VERSION}`, tell, async (folder) => {
    await run("python3", ["-m", "venv", folder]);
    const install = ["-m", "pip", "install", "--disable-pip-version-check", `matrix-synapse==${SYNAPSE_VERSION}`];
    let packageCount = 0;
    const installed = run(pythonOf(folder), install, {
      onLine: (line) => {
        if (line.startsWith("Collecting") && ++packageCount % 10 === 0) tell(`  ${packageCount} packages`);
        if (line.startsWith("Installing collected")) tell(`  ${packageCount} packages, unpacking`);
      },
    });
    await installed.catch((error: Error) => {
      const isOffline = /NewConnectionError|ConnectTimeout|name resolution|ProxyError/.test(error.message);
      if (!isOffline) throw error;
      throw new Error(
        "Synapse could not be installed: PyPI cannot be reached. This needs the Internet, the first time",
      );
    });
  });
  return pythonOf(folder);
}

/** Programs in bin/ name the folder they were made in; Python itself does not, and it is all that is used. */
function pythonOf(folder: string): string {
  return join(folder, "bin", "python");
}
