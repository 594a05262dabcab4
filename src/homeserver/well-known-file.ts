import { createAtomic, writeAtomic } from "../daemon/atomic-file.js";
import { NODE_MEMBER } from "../federation/binding/statement.js";
import { isJsonObject, type JsonObject } from "../federation/json.js";
import { unwritable } from "./apply.js";
import { HomeserverCode, homeserverError } from "./errors.js";
import { readIfThere } from "./text-file.js";

/** Others read it: a web server, mostly under another user. */
const MODE = 0o644;

/**
 * Puts a node's statement into the file that stands under a name's well-known address, beside what it says already; makes the file where
 * there is none. Throws `PINYON_HOMESERVER_FILE`, and leaves it as it is.
 */
export async function putStatement(path: string, statement: JsonObject): Promise<void> {
  const found = await readIfThere(path);
  const text = withStatement(path, found?.text ?? "{}\n", statement);
  try {
    if (found !== undefined) await writeAtomic(found.path, text, found);
    else await createAtomic(path, text, { mode: MODE, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** In the layout that the text has: one line, or one for each member. */
function withStatement(path: string, text: string, statement: JsonObject): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!isJsonObject(value)) throw homeserverError(HomeserverCode.FILE, `${path}: this is no JSON object: expected one`);
  const isOneLine = !text.trim().includes("\n");
  return `${JSON.stringify({ ...value, [NODE_MEMBER]: statement }, null, isOneLine ? 0 : 2)}\n`;
}
