import { existsSync } from "node:fs";
import type { Config } from "../daemon/config.js";
import { readConfig } from "../daemon/config-file.js";
import { ErrorCode, PinyonError } from "../daemon/errors.js";
import { keyPath, readKey } from "../daemon/key-file.js";
import { Signer } from "../federation/signing.js";
import { keyToName } from "../wire/name.js";

/** The node whose homeserver a command is about, as it stands in its files. */
export interface OwnNode {
  /** Its state folder. */
  readonly folder: string;
  readonly configFile: string;
  readonly config: Config;
  /** The 32-byte seed of its key. */
  readonly seed: Uint8Array;
  /** Its server name, which is its homeserver's too. */
  readonly name: string;
}

/** Reads a node. Throws `PINYON_KEY` or `PINYON_CONFIG` where `pinyon init` has not been there. */
export async function readOwnNode(folder: string, configFile: string): Promise<OwnNode> {
  const seed = await readKey(folder);
  if (seed === undefined) {
    throw new PinyonError(ErrorCode.KEY, `${keyPath(folder)}: there is no key: make a node with \`pinyon init\``);
  }
  if (!existsSync(configFile)) {
    throw new PinyonError(
      ErrorCode.CONFIG,
      `${configFile}: there is no such file: \`pinyon init\` writes it, or name the node's own with --config before the command`,
    );
  }
  const config = readConfig(configFile);
  return { folder, configFile, config, seed, name: keyToName(new Signer(seed, "").publicKey, config.suffix) };
}
