import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Owner } from "../e2e/mesh.js";

/** A folder that goes with its owner. */
export function tempFolderOf(owner: Owner): string {
  const folder = mkdtempSync(join(tmpdir(), "pinyon-bench-"));
  owner.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
