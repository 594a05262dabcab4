import { KEY_BYTES } from "../wire/limits.js";
import { nameToKey } from "../wire/name.js";
import { ErrorCode, PinyonError } from "./errors.js";

const HEX_KEY = new RegExp(`^[0-9a-f]{${KEY_BYTES * 2}}$`);

/** The key that a person means by a server name, the bare first label of one, or 64 hex digits; in any case. */
export function parseTarget(text: string): Uint8Array | undefined {
  const lower = text.trim().toLowerCase();
  return HEX_KEY.test(lower) ? Uint8Array.from(Buffer.from(lower, "hex")) : nameToKey(lower);
}

/** The same, or an error that says what was expected. */
export function targetKey(text: string): Uint8Array {
  const key = parseTarget(text);
  if (key === undefined) {
    throw new PinyonError(
      ErrorCode.TARGET,
      `${JSON.stringify(text)} is no node: expected a name like <52 letters and digits>.pinyon.alt or a key of 64 hex digits`,
    );
  }
  return key;
}

/** A key in hexadecimal. */
export function keyHex(key: Uint8Array): string {
  return Buffer.from(key).toString("hex");
}
