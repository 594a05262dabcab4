import { equalBytes } from "../wire/bytes.js";
import { isServerName, nameToKey, SERVER_NAME_CHARS_MAX, SERVER_NAME_CHARS_MIN } from "../wire/name.js";
import { OverlayError } from "./errors.js";

/*
 * The first bytes of each direction of each stream of a session, before HTTP/2: who speaks. A msgpack array in its one shortest form.
 *
 *   0  1  92         array of 2
 *   1  1  01         version
 *   2  2  d9 length  string
 *   4  n             the sender's server name: its key in base32, a dot, a domain; 54 to 230 ASCII characters, lower case
 */
const VERSION = 1;
const NAME_AT = 4;

/** What a record said, and the bytes that it took. */
export interface NameRecord {
  readonly name: string;
  readonly sizeBytes: number;
}

/** The record that states `name`, which must be a server name. */
export function encodeNameRecord(name: string): Uint8Array {
  if (!isServerName(name)) throw new TypeError(`not a server name of the overlay: ${name}`);
  return Buffer.concat([Uint8Array.of(0x92, VERSION, 0xd9, name.length), Buffer.from(name, "latin1")]);
}

/**
 * The record at the start of `bytes`, undefined while it is not whole, or why it is refused: it has not its one form, or its name is
 * not the name of `key`. A wrong byte is refused as soon as it is there, so that at most a record's bytes are waited for.
 */
export function decodeNameRecord(bytes: Uint8Array, key: Uint8Array): NameRecord | OverlayError | undefined {
  if (bytes.length > 0 && bytes[0] !== 0x92) return new OverlayError("PINYON_NAME_RECORD");
  if (bytes.length > 1 && bytes[1] !== VERSION) {
    return new OverlayError("PINYON_NAME_VERSION", `its version is ${bytes[1]}, ours ${VERSION}`);
  }
  if (bytes.length > 2 && bytes[2] !== 0xd9) return new OverlayError("PINYON_NAME_RECORD");
  if (bytes.length < NAME_AT) return undefined;
  const nameBytes = bytes[3]!;
  if (nameBytes < SERVER_NAME_CHARS_MIN || nameBytes > SERVER_NAME_CHARS_MAX)
    return new OverlayError("PINYON_NAME_RECORD");
  const sizeBytes = NAME_AT + nameBytes;
  if (bytes.length < sizeBytes) return undefined;
  const name = Buffer.from(bytes.subarray(NAME_AT, sizeBytes)).toString("latin1");
  if (!isServerName(name)) return new OverlayError("PINYON_NAME_RECORD");
  if (!equalBytes(nameToKey(name)!, key)) return new OverlayError("PINYON_NAME_MISMATCH", name);
  return { name, sizeBytes };
}
