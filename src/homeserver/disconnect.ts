import { rm } from "node:fs/promises";
import { writeAtomic } from "../daemon/atomic-file.js";
import { unwritable } from "./apply.js";
import { HomeserverCode, homeserverError } from "./errors.js";
import { type ConnectRecord, type RecordedFile, recordPath } from "./record.js";
import { changedLines } from "./text-diff.js";
import { readIfThere, type TextFile } from "./text-file.js";

/** A file that `connect` changed or made, and what it was before. */
export interface Restoration {
  readonly path: string;
  /** As it stands there; undefined: it is gone. */
  readonly found: TextFile | undefined;
  /** As it was before `connect`; undefined: it was not there. */
  readonly before: TextFile | undefined;
  readonly backup: string | null;
}

/** What puts every file back as it was. Throws `PINYON_HOMESERVER_EDITED`, naming lines, where somebody edited one. */
export async function planDisconnect(record: ConnectRecord): Promise<Restoration[]> {
  const restorations: Restoration[] = [];
  const faults: string[] = [];
  for (const file of record.files) {
    const { path, backup, written } = file;
    const found = await readIfThere(path);
    const before = backup === null ? undefined : await readCopy(path, backup);
    if (found?.text === written || found?.text === before?.text) restorations.push({ path, found, before, backup });
    else faults.push(fault(file, found, record));
  }
  if (faults.length > 0) throw homeserverError(HomeserverCode.EDITED, faults.join("\n"));
  return restorations;
}

/** Puts the files back byte for byte, then forgets that there was a `connect`. */
export async function applyDisconnect(stateFolder: string, restorations: readonly Restoration[]): Promise<void> {
  for (const { path, found, before } of restorations) {
    try {
      if (before === undefined) await rm(path, { force: true });
      else if (found?.text !== before.text) await writeAtomic(path, before.bytes, found ?? before);
    } catch (error) {
      throw unwritable(path, error);
    }
  }
  await rm(recordPath(stateFolder));
  for (const { backup } of restorations) if (backup !== null) await rm(backup);
}

async function readCopy(path: string, backup: string): Promise<TextFile> {
  const copy = await readIfThere(backup);
  if (copy !== undefined) return copy;
  throw homeserverError(
    HomeserverCode.EDITED,
    `${path}: the copy of how it was, ${backup}, is gone: put it back from a backup, or take what Pinyon wrote out of ${path} by hand and copy it to ${backup}; then \`disconnect\` again`,
  );
}

function fault({ path, backup, written }: RecordedFile, found: TextFile | undefined, { kind }: ConnectRecord): string {
  const again = `then \`pinyon homeserver disconnect ${kind} --apply\` again`;
  if (found === undefined) return `${path}: the file is gone since \`connect\`: \`cp ${backup} ${path}\`, ${again}`;
  const keep = backup === null ? `\`rm ${path}\`` : `carry them over to ${backup} and \`cp ${backup} ${path}\``;
  return `${path}: edited since \`connect\`: ${changedLines(written, found.text)}: take the edits back, or ${keep}; ${again}`;
}
