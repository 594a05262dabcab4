import { stat } from "node:fs/promises";
import { type ErrorCode, PinyonError } from "./errors.js";

const OTHERS = 0o077;

/** Throws with `code` where other users than the owner can do anything with a file or folder, or where we are not its owner. */
export async function refuseOpenToOthers(path: string, code: ErrorCode): Promise<void> {
  const found = await stat(path);
  if ((found.mode & OTHERS) !== 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
    const expected = found.isDirectory() ? "0700" : "0600";
    throw new PinyonError(
      code,
      `${path}: open to other users (mode ${mode}): expected ${expected}: run \`chmod ${expected.slice(1)} ${path}\``,
    );
  }
  const user = process.getuid?.();
  if (user !== undefined && user !== 0 && found.uid !== user) {
    throw new PinyonError(code, `${path}: belongs to user ${found.uid}: expected ${user}, who runs this command`);
  }
}
