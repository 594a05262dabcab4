import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";

/** A folder of mode 0700 that goes with the test. */
export function tempFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "pinyon-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
