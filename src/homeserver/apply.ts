import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { createAtomic, writeAtomic } from "../daemon/atomic-file.js";
import { messageOf, PinyonError, systemCode } from "../daemon/errors.js";
import { HomeserverCode, homeserverError } from "./errors.js";
import type { FileChange, Plan } from "./plan.js";
import { type ConnectRecord, recordPath } from "./record.js";

const FOLDER_MODE = 0o700;
/** What the name of a copy ends with. */
export const BACKUP_SUFFIX = ".before-pinyon";

/** Changes the files of a plan: each is copied beside itself first. What fails on the way leaves everything as it was. */
export async function applyPlan(stateFolder: string, plan: Plan): Promise<ConnectRecord> {
  const record = recordOf(plan);
  const done: (() => Promise<void>)[] = [];
  try {
    await createAtomic(recordPath(stateFolder), `${JSON.stringify(record)}\n`);
    done.push(() => rm(recordPath(stateFolder)));
    if (plan.newFolder !== undefined) await mkdir(plan.newFolder, { recursive: true, mode: FOLDER_MODE });
    for (const change of plan.files) await applyChange(change, backupOf(record, change.path), done);
    return record;
  } catch (error) {
    for (const undo of done.reverse()) await undo();
    throw error;
  }
}

async function applyChange({ path, before, after }: FileChange, backup: string | null, done: (() => Promise<void>)[]) {
  try {
    if (before === undefined) {
      await createAtomic(path, after);
      done.push(() => rm(path));
      return;
    }
    if (backup !== null) await createAtomic(backup, before.bytes, before);
    done.push(async () => {
      await writeAtomic(path, before.bytes, before);
      if (backup !== null) await rm(backup);
    });
    await writeAtomic(path, after, before);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** What the system says of a file that cannot be written, for a person. */
export function unwritable(path: string, error: unknown): Error {
  if (error instanceof PinyonError) return error;
  const reasons: Readonly<Record<string, string>> = {
    EACCES: "this user may not write there: run the command as the file's owner or as root",
    EPERM: "this user may not keep the file's owner: run the command as the file's owner or as root",
    EEXIST: "there is such a file already, and it is never overwritten: move it away",
  };
  return homeserverError(HomeserverCode.FILE, `${path}: ${reasons[systemCode(error) ?? ""] ?? messageOf(error)}`, {
    cause: error,
  });
}

function recordOf({ kind, config, newFolder, files }: Plan): ConnectRecord {
  return {
    kind,
    config,
    newFolder: newFolder ?? null,
    files: files
      .filter(({ before }) => newFolder === undefined || before !== undefined)
      .map(({ path, before, after }) => ({
        path,
        backup: before === undefined ? null : freeBackup(path),
        written: after,
      })),
  };
}

function backupOf({ files }: ConnectRecord, path: string): string | null {
  return files.find((file) => file.path === path)?.backup ?? null;
}

/** A path beside a file at which there is nothing: an older copy is never overwritten. */
function freeBackup(path: string): string {
  for (let number = 1; ; number++) {
    const backup = path + BACKUP_SUFFIX + (number === 1 ? "" : `-${number}`);
    if (!existsSync(backup)) return backup;
  }
}
