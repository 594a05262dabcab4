import { equalBytes } from "../wire/bytes.js";
import { isClassicForm, isServerName, nameToKey, SERVER_NAME_CHARS_MAX, SERVER_NAME_CHARS_MIN } from "../wire/name.js";
import { OverlayError } from "./errors.js";

/*
 * The first bytes of each direction of each stream of a session, before HTTP/2: who speaks. A msgpack array in its one shortest form.
 *
 *   0  1  92         array of 2
 *   1  1  version    01: a name that holds the key; 02: one of the classic federation, which the key has to be bound to
 *   2  2  d9 length  string; a name of up to 31 characters has one byte, a0 + length
 *   4  n             the sender's server name in lower case, ASCII; of version 1 its key in base32, a dot, a domain: 54 to 230 characters
 */
const OVERLAY_VERSION = 1;
const CLASSIC_VERSION = 2;
const HEAD_AT = 2;
const FIXED = 0xa0;
const FIXED_CHARS_MAX = 31;

/** What a record said, and the bytes that it took. */
export interface NameRecord {
  /** Of the session's key; or a classic one, which nothing here proves. */
  readonly name: string;
  readonly sizeBytes: number;
}

/** The record that states `name`, which must be a server name. */
export function encodeNameRecord(name: string): Uint8Array {
  const isOverlay = isServerName(name);
  if (!isOverlay && !isClassicForm(name)) throw new TypeError(`not a server name: ${name}`);
  const version = isOverlay ? OVERLAY_VERSION : CLASSIC_VERSION;
  const head = name.length > FIXED_CHARS_MAX ? [0xd9, name.length] : [FIXED + name.length];
  return Buffer.concat([Uint8Array.of(0x92, version, ...head), Buffer.from(name, "latin1")]);
}

/**
 * The record at the start of `bytes`, undefined while it is not whole, or why it is refused: it has not its one form, or its name holds
 * another key than `key`. A wrong byte is refused as soon as it is there, so that at most a record's bytes are waited for.
 */
export function decodeNameRecord(bytes: Uint8Array, key: Uint8Array): NameRecord | OverlayError | undefined {
  const [array, version, ...head] = bytes.subarray(0, HEAD_AT + 2);
  if (array !== undefined && array !== 0x92) return malformed();
  if (version === undefined) return undefined;
  if (version !== OVERLAY_VERSION && version !== CLASSIC_VERSION) {
    return new OverlayError("PINYON_NAME_VERSION", `its version is ${version}, ours ${CLASSIC_VERSION}`);
  }
  const length = lengthOf(head, version);
  if (typeof length !== "number") return length;
  const nameAt = HEAD_AT + (length > FIXED_CHARS_MAX ? 2 : 1);
  const sizeBytes = nameAt + length;
  if (bytes.length < sizeBytes) return undefined;
  const name = Buffer.from(bytes.subarray(nameAt, sizeBytes)).toString("latin1");
  if (!(version === OVERLAY_VERSION ? isServerName(name) : isClassicForm(name))) return malformed();
  if (version === OVERLAY_VERSION && !equalBytes(nameToKey(name)!, key)) {
    return new OverlayError("PINYON_NAME_MISMATCH", name);
  }
  return { name, sizeBytes };
}

/** Characters of the name, by the bytes in front of it. */
function lengthOf([head, long]: readonly number[], version: number): number | OverlayError | undefined {
  if (head === undefined) return undefined;
  if (head !== 0xd9) {
    const length = head - FIXED;
    return version === CLASSIC_VERSION && length >= 1 && length <= FIXED_CHARS_MAX ? length : malformed();
  }
  if (long === undefined) return undefined;
  const least = version === OVERLAY_VERSION ? SERVER_NAME_CHARS_MIN : FIXED_CHARS_MAX + 1;
  return long >= least && long <= SERVER_NAME_CHARS_MAX ? long : malformed();
}

function malformed(): OverlayError {
  return new OverlayError("PINYON_NAME_RECORD");
}
