import { readFile, realpath, stat } from "node:fs/promises";
import { messageOf, systemCode } from "../daemon/errors.js";
import { HomeserverCode, homeserverError } from "./errors.js";

/** Bytes of a configuration file: far above any, and what an edit holds in memory. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;

/** A text file as it stands on the disk. */
export interface TextFile {
  /** Its real path, links followed. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Reads a text file. Throws `PINYON_HOMESERVER_FILE`. */
export async function readText(path: string): Promise<TextFile> {
  try {
    const real = await realpath(path);
    const { mode, uid, gid, size } = await stat(real);
    if (size > FILE_BYTES_MAX)
      throw new Error(`it has more than ${FILE_BYTES_MAX} bytes: expected a configuration file`);
    const bytes = await readFile(real);
    return { path: real, bytes, text: decode(bytes), mode: mode & 0o7777, uid, gid };
  } catch (error) {
    throw homeserverError(HomeserverCode.FILE, `${path}: ${reason(error)}`, { cause: error });
  }
}

/** The same; undefined where there is no such file. */
export async function readIfThere(path: string): Promise<TextFile | undefined> {
  const isThere = await readFile(path).catch((error: unknown) => systemCode(error) !== "ENOENT");
  return isThere === false ? undefined : readText(path);
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error("it is no UTF-8 text: expected a configuration file");
  }
}

function reason(error: unknown): string {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file",
    EISDIR: "it is a folder: expected the file in it",
    EACCES: "this user may not read it: run the command as its owner or as root",
  };
  return reasons[systemCode(error) ?? ""] ?? messageOf(error);
}
