import { mkdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { removeTemporaries } from "./atomic-file.js";
import { ErrorCode, messageOf, PinyonError, systemCode } from "./errors.js";
import { lockFolder } from "./lock.js";
import { refuseOpenToOthers } from "./modes.js";

/*
 * A state folder is one node: `key`, `pinyon.yaml` unless --config names another file, `control.sock` while it runs, and
 * what it keeps for its next start (kept.ts).
 */

const FOLDER_MODE = 0o700;
/** Bytes of a Unix socket's path, the least of the systems (macOS: 104 with the closing zero). */
const SOCKET_PATH_BYTES_MAX = 103;

/** Where a node's state is kept: what was asked for, else what systemd gives a service, else the user's state folder. */
export function stateFolderPath(asked: string | undefined, environment: NodeJS.ProcessEnv): string {
  if (asked !== undefined) return resolve(asked);
  // systemd gives several folders parted by colons where a unit has several.
  const service = environment["STATE_DIRECTORY"]?.split(":")[0];
  if (service) return resolve(service);
  return join(environment["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "pinyon");
}

export function configPath(folder: string): string {
  return join(folder, "pinyon.yaml");
}

/** Throws `PINYON_STATE` where the path is too long for a Unix socket. */
export function controlPath(folder: string): string {
  const path = join(folder, "control.sock");
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw new PinyonError(
      ErrorCode.STATE,
      `${folder}: the path is too long for the control socket: expected at most ${SOCKET_PATH_BYTES_MAX - "/control.sock".length} bytes: choose a shorter one with --state`,
    );
  }
  return path;
}

/** Makes the folder where it is missing and refuses one that others can read. Throws `PINYON_STATE`. */
export async function prepareFolder(folder: string): Promise<void> {
  controlPath(folder);
  try {
    await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    if (!(await stat(folder)).isDirectory()) throw new Error("not a folder");
  } catch (error) {
    throw unusable(folder, systemCode(error) === "EEXIST" ? new Error("not a folder") : error);
  }
  await refuseOpenToOthers(folder, ErrorCode.STATE);
}

/** What the system refused in a state folder, for a person; an error that is for people already stays as it is. */
export function unusable(folder: string, error: unknown): Error {
  if (error instanceof PinyonError) return error;
  const message = `${folder}: cannot be used as state folder: ${messageOf(error)}: choose another one with --state`;
  return new PinyonError(ErrorCode.STATE, message, { cause: error });
}

/** Prepares a folder and takes its lock: one daemon a folder. Throws `PINYON_STATE` or `PINYON_LOCKED`. */
export async function lockStateFolder(folder: string): Promise<() => void> {
  await prepareFolder(folder);
  try {
    const free = lockFolder(folder);
    await removeTemporaries(folder);
    return free;
  } catch (error) {
    throw unusable(folder, error);
  }
}
