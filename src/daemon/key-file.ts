import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createAtomic } from "./atomic-file.js";
import { ErrorCode, messageOf, PinyonError, systemCode } from "./errors.js";
import { refuseOpenToOthers } from "./modes.js";

/*
 * The key file has one line, in the form of Synapse's `signing.key`: `ed25519 <version> <unpadded base64 of the 32-byte
 * seed>`. A node's key is its homeserver's signing key too.
 */

const NAME = "key";
/** Bytes of a seed, from which both keys of a node follow. */
export const SEED_BYTES = 32;
const VERSION = "pinyon";
const FORM = /^ed25519 (\w+) ([A-Za-z0-9+/]{43})\s*$/;

export function keyPath(folder: string): string {
  return join(folder, NAME);
}

/** The 32-byte seed of the node in a state folder; undefined where it has none yet. Throws `PINYON_KEY`. */
export async function readKey(folder: string): Promise<Uint8Array | undefined> {
  const path = keyPath(folder);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return undefined;
    throw new PinyonError(ErrorCode.KEY, `${path}: cannot be read: ${messageOf(error)}`, { cause: error });
  });
  if (text === undefined) return undefined;
  await refuseOpenToOthers(path, ErrorCode.KEY);
  const encoded = FORM.exec(text)?.[2];
  const seed = encoded === undefined ? undefined : Buffer.from(encoded, "base64");
  if (seed === undefined || encodeSeed(seed) !== encoded) {
    throw new PinyonError(
      ErrorCode.KEY,
      `${path}: damaged: expected one line \`ed25519 ${VERSION} <43 characters of base64>\`. Put a backup in its place; without one this node's name is lost, and after moving the file away \`pinyon init\` makes a node with a new name`,
    );
  }
  return new Uint8Array(seed);
}

/** Puts a new seed into a state folder. Throws `PINYON_EXISTS` where there is a key. */
export async function createKey(folder: string, seed: Uint8Array): Promise<void> {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes`);
  try {
    await createAtomic(keyPath(folder), `ed25519 ${VERSION} ${encodeSeed(seed)}\n`);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    throw new PinyonError(
      ErrorCode.EXISTS,
      `${keyPath(folder)}: there is a key already, and a key is never overwritten: use it, or choose another folder with --state`,
    );
  }
}

function encodeSeed(seed: Uint8Array): string {
  return Buffer.from(seed).toString("base64").replace(/=+$/, "");
}
