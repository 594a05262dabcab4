import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { isBindable } from "../federation/binding/statement.js";
import type { ConfigFile } from "./config-file.js";
import { HomeserverCode, homeserverError } from "./errors.js";
import { KIND_NAMES, type Kind } from "./kind.js";
import type { OwnNode } from "./own-node.js";
import { readText } from "./text-file.js";

/** Throws where a file is another homeserver's, or nobody's. */
export function notOf(kind: Kind, { path, values }: ConfigFile): Error {
  const isDendrite = isMapping(values["global"]) && "server_name" in values["global"];
  const isSynapse = typeof values["server_name"] === "string";
  const other =
    kind === "synapse" && isDendrite ? "dendrite" : kind === "dendrite" && isSynapse ? "synapse" : undefined;
  const key = kind === "synapse" ? "server_name" : "global.server_name";
  return homeserverError(
    HomeserverCode.FILE,
    other === undefined
      ? `${path}: this is no configuration of ${KIND_NAMES[kind]}: it has no \`${key}\`: name the file that has it`
      : `${path}: this is a configuration of ${KIND_NAMES[other]}: say \`${other}\` instead of \`${kind}\``,
  );
}

/**
 * The name that a homeserver has of its own, one of the classic federation; undefined where it has its node's. Throws
 * `PINYON_HOMESERVER_NAME` for any other.
 */
export function ownName({ path }: ConfigFile, found: string, { name }: OwnNode): string | undefined {
  if (found === name) return undefined;
  if (isBindable(found)) return found;
  throw homeserverError(
    HomeserverCode.NAME,
    `${path}: the homeserver's name is ${JSON.stringify(found)}, this node's is ${name}: expected that, since other servers find it by the key in the name, or a name of the DNS in lower case, like example.org. \`connect --new\` makes a homeserver with this node's name`,
  );
}

/** Throws `PINYON_HOMESERVER_KEY` where a homeserver signs with another key than its node's. */
export async function requireKey(
  file: string,
  readSeed: (text: string) => Uint8Array | undefined,
  { seed }: OwnNode,
  mend: string,
): Promise<void> {
  const refusal = (what: string) => homeserverError(HomeserverCode.KEY, `${file}: ${what}: ${mend}`);
  if (!existsSync(file)) throw refusal("there is no signing key yet, and this name is that of the node's");
  const found = readSeed((await readText(file)).text);
  if (found === undefined) throw refusal("this is no signing key, and the name is that of the node's");
  if (Buffer.compare(found, seed) === 0) return;
  throw refusal("this is another key than the node's, which the name is made of; keep a copy of it, then");
}

/** A path in a configuration file. Homeservers take it from the folder that they are started in: that of the file, mostly. */
export function besideFile({ path }: ConfigFile, file: string): string {
  return resolve(path, "..", file);
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
