import { spawnSync } from "node:child_process";

/** Why a test that needs these programs of the machine cannot run; false where all are there. */
export function whyMissing(...programs: string[]): string | false {
  const missing = programs.filter((program) => spawnSync(program, ["--version"]).status !== 0);
  return missing.length > 0 && `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} not on this machine`;
}
