import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, systemCode } from "../daemon/errors.js";
import { HomeserverCode, homeserverError } from "./errors.js";
import { KIND_NAMES, KINDS, type Kind } from "./kind.js";

/*
 * What `connect` did, kept in the state folder until `disconnect`. It is written before the first file is changed, so that a
 * `connect` that was killed half-way can be undone as well.
 */

const FileSchema = z.strictObject({
  path: z.string(),
  /** Where the file is as it was before; null where there was none. */
  backup: z.string().nullable(),
  /** The text that was written. */
  written: z.string(),
});
export type RecordedFile = z.output<typeof FileSchema>;

const RecordSchema = z.strictObject({
  kind: z.enum(KINDS),
  /** The homeserver's configuration file. */
  config: z.string(),
  /** The folder of a homeserver that `connect --new` made; null for one that was there. */
  newFolder: z.string().nullable(),
  /** The files that `disconnect` restores. Those of a new homeserver are its own by then. */
  files: z.array(FileSchema),
});
export type ConnectRecord = z.output<typeof RecordSchema>;

export function recordPath(folder: string): string {
  return join(folder, "homeserver.json");
}

/** What `connect` did last and nobody undid; undefined: nothing. */
async function readRecord(folder: string): Promise<ConnectRecord | undefined> {
  const path = recordPath(folder);
  try {
    return RecordSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    const why = error instanceof z.ZodError || error instanceof SyntaxError ? "damaged" : messageOf(error);
    throw homeserverError(
      HomeserverCode.FILE,
      `${path}: ${why}: it says what \`homeserver connect\` changed. Restore the files from their copies (*.before-pinyon) by hand, then delete it`,
      { cause: error },
    );
  }
}

/** The same, of one kind and, where it is given, one configuration file. Throws `PINYON_HOMESERVER_NOT_CONNECTED`. */
export async function requireRecord(folder: string, kind: Kind, config?: string): Promise<ConnectRecord> {
  const record = await readRecord(folder);
  const notConnected = (text: string) => homeserverError(HomeserverCode.NOT_CONNECTED, text);
  if (record === undefined) {
    throw notConnected(
      `${folder}: no homeserver is connected to this node: \`pinyon homeserver connect ${kind}\` does that`,
    );
  }
  if (record.kind !== kind) {
    throw notConnected(`${folder}: this node's homeserver is a ${KIND_NAMES[record.kind]}: say \`${record.kind}\``);
  }
  if (config === undefined || (await realpath(config).catch(() => config)) === record.config) return record;
  throw notConnected(`${config}: this file is not connected to this node, ${record.config} is: name that or none`);
}

/** Throws `PINYON_HOMESERVER_CONNECTED` where a homeserver is connected. */
export async function requireUnconnected(folder: string): Promise<void> {
  const record = await readRecord(folder);
  if (record === undefined) return;
  throw homeserverError(
    HomeserverCode.CONNECTED,
    `${record.config}: this ${KIND_NAMES[record.kind]} is connected to the node of ${folder} already: \`pinyon homeserver disconnect ${record.kind} --apply\` undoes that, \`pinyon homeserver check ${record.kind}\` says how it does`,
  );
}
