import { existsSync } from "node:fs";
import { chooseCrypto } from "../driver/choose-crypto.js";
import { systemRandom } from "../driver/random.js";
import { keyToName } from "../wire/name.js";
import { createAtomic } from "./atomic-file.js";
import { readConfig } from "./config-file.js";
import { configTemplate } from "./config-template.js";
import { ErrorCode, messageOf, PinyonError, systemCode } from "./errors.js";
import { createKey, keyPath, readKey, SEED_BYTES } from "./key-file.js";
import { prepareFolder, unusable } from "./state-folder.js";

/** A node as it stands in its state folder. */
export interface NewNode {
  readonly name: string;
  readonly keyFile: string;
  readonly configFile: string;
}

/**
 * Makes a node: its state folder, key and config file. Throws `PINYON_EXISTS`, with nothing made, where there is a key or a
 * config file; with `onlyMissing` it makes what is not there and leaves the rest.
 */
export async function initNode(
  folder: string,
  configFile: string,
  { onlyMissing = false }: { onlyMissing?: boolean } = {},
): Promise<NewNode> {
  await prepareFolder(folder);
  if (!onlyMissing) refuseExisting(keyPath(folder), "key");
  if (!onlyMissing) refuseExisting(configFile, "config file");
  const found = await readKey(folder);
  const seed = found ?? systemRandom(SEED_BYTES);
  if (found === undefined)
    await createKey(folder, seed).catch((error: unknown) => Promise.reject(unusable(folder, error)));
  await createAtomic(configFile, configTemplate()).catch((error: unknown) => {
    if (systemCode(error) === "EEXIST") return;
    throw new PinyonError(ErrorCode.CONFIG, `${configFile}: cannot be written: ${messageOf(error)}`, { cause: error });
  });
  const { crypto } = chooseCrypto(process.env);
  const name = keyToName(crypto.identityFromSeed(seed).publicKey, readConfig(configFile).suffix);
  return { name, keyFile: keyPath(folder), configFile };
}

function refuseExisting(path: string, what: string): void {
  if (!existsSync(path)) return;
  throw new PinyonError(
    ErrorCode.EXISTS,
    `${path}: there is a ${what} already, and it is never overwritten: start its node with \`pinyon run\`, or make another one with --state`,
  );
}
