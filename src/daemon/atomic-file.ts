import { randomBytes } from "node:crypto";
import { type FileHandle, link, open, readdir, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Mode of every file in the state folder. */
export const FILE_MODE = 0o600;
const TEMP_SUFFIX = ".tmp";

/** Who may do what with a file. */
export interface FileOwner {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Replaces a file whole: whoever reads it, also after a crash or a power cut, finds the old content or the new, never a
 * part. The content goes to a temporary file beside it, to the disk, and then under the name. Without an `owner` it is ours.
 */
export async function writeAtomic(path: string, content: string | Uint8Array, owner?: FileOwner): Promise<void> {
  const temporary = await writeTemporary(path, content, owner);
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** The same for a file that must not exist yet: throws `EEXIST` and leaves what is there. */
export async function createAtomic(path: string, content: string | Uint8Array, owner?: FileOwner): Promise<void> {
  const temporary = await writeTemporary(path, content, owner);
  try {
    await link(temporary, path);
  } finally {
    await unlink(temporary);
  }
  await syncFolder(dirname(path));
}

/** Removes the temporary files that writers killed in mid-write left in a folder. Nobody may be writing there. */
export async function removeTemporaries(folder: string): Promise<void> {
  const names = await readdir(folder);
  await Promise.all(names.filter((name) => name.endsWith(TEMP_SUFFIX)).map((name) => unlink(join(folder, name))));
}

async function writeTemporary(path: string, content: string | Uint8Array, owner?: FileOwner): Promise<string> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}${TEMP_SUFFIX}`);
  const file = await open(temporary, "wx", FILE_MODE);
  try {
    if (owner !== undefined) await makeOwn(file, owner);
    await file.writeFile(content);
    await file.sync();
  } catch (error) {
    await unlink(temporary);
    throw error;
  } finally {
    await file.close();
  }
  return temporary;
}

/** Before anything is written, so that nobody reads who may not. */
async function makeOwn(file: FileHandle, { mode, uid, gid }: FileOwner): Promise<void> {
  const found = await file.stat();
  if (found.uid !== uid || found.gid !== gid) await file.chown(uid, gid);
  await file.chmod(mode);
}

/** A name is on the disk once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
