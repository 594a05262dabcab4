import { execFileSync } from "node:child_process";
import { run, type Tell } from "./install.js";

/** Why a program cannot be built here that needs this version of Go or a newer one, in a sentence that says what to do; undefined where it can. */
export function whyNoGo(program: string, oldest: readonly [major: number, minor: number]): string | undefined {
  const needs = `${program} needs Go ${oldest.join(".")} or newer`;
  let version: string;
  try {
    version = execFileSync("go", ["env", "GOVERSION"], { stdio: ["ignore", "pipe", "ignore"], encoding: "utf8" });
  } catch {
    return `${needs}, and there is no program \`go\`: install it`;
  }
  const [, major = 0, minor = 0] = /^go(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return undefined;
  return `${needs}, and go is ${version.trim()}: install a newer one`;
}

/** Builds a program of a Go module into a folder. */
export function goInstall(folder: string, module: string, tell: Tell): Promise<void> {
  return run("go", ["install", module], {
    env: { GOBIN: folder },
    onLine: (line) => {
      const [, needed] = /^go: downloading (\S+)/.exec(line) ?? [];
      if (needed !== undefined) tell(`  ${needed}`);
    },
  });
}
