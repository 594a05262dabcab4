import { createPrivateKey, createPublicKey } from "node:crypto";
import { existsSync } from "node:fs";
import type { Config } from "../daemon/config.js";
import { readConfig } from "../daemon/config-file.js";
import { ErrorCode, PinyonError } from "../daemon/errors.js";
import { keyPath, readKey } from "../daemon/key-file.js";
import { keyToName } from "../wire/name.js";

/** What stands before the seed in an Ed25519 private key of PKCS #8 (RFC 8410). */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");

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
  return { folder, configFile, config, seed, name: keyToName(publicKeyOf(seed), config.suffix) };
}

/** The 32-byte public key of a seed. */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: "der", type: "pkcs8" });
  const { x } = createPublicKey(key).export({ format: "jwk" });
  return new Uint8Array(Buffer.from(x!, "base64url"));
}

/** A seed in unpadded base64, as homeservers' key files have it. */
export function seedBase64(seed: Uint8Array): string {
  return Buffer.from(seed).toString("base64").replace(/=+$/, "");
}
