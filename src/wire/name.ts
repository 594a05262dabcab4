import { KEY_BYTES } from "./limits.js";

/**
 * Names of keys: a key in base32 (RFC 4648, lower case, no padding) as the first label of a DNS name. One key has one
 * name and one name one key: upper case, padding and spare bits that are not zero are refused.
 */

/** Suffix of a server name that no DNS is asked for (`.alt`, RFC 9476). */
export const NAME_SUFFIX = "pinyon.alt";
/** Characters of a key in base32: 256 bits in 5-bit digits, 4 spare bits. */
export const KEY_NAME_CHARS = Math.ceil((KEY_BYTES * 8) / 5);

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const DIGITS: ReadonlyMap<string, number> = new Map([...ALPHABET].map((character, digit) => [character, digit]));

/** Base32 of `bytes`, lower case, without padding. */
export function base32Encode(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let bitCount = 0;
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xfff;
    bitCount += 8;
    while (bitCount >= 5) {
      bitCount -= 5;
      text += ALPHABET[(bits >> bitCount) & 31];
    }
  }
  return bitCount === 0 ? text : text + ALPHABET[(bits << (5 - bitCount)) & 31];
}

/** The bytes that `base32Encode` gives `text` for; undefined where there are none. */
export function base32Decode(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let bits = 0;
  let bitCount = 0;
  let index = 0;
  for (const character of text) {
    const digit = DIGITS.get(character);
    if (digit === undefined) return undefined;
    bits = ((bits << 5) | digit) & 0xfff;
    bitCount += 5;
    if (bitCount < 8) continue;
    bitCount -= 8;
    bytes[index++] = bits >> bitCount;
  }
  // A digit that adds no byte is too many; spare bits that are not zero would give one key two names.
  const spare = bits & ((1 << bitCount) - 1);
  return bitCount < 5 && spare === 0 ? bytes : undefined;
}

/** The server name of a key: `<52 characters>.pinyon.alt`, or under a gateway's domain. */
export function keyToName(key: Uint8Array, suffix: string = NAME_SUFFIX): string {
  return `${base32Encode(key)}.${suffix}`;
}

/** Longest server name: what the Matrix specification recommends. */
export const SERVER_NAME_CHARS_MAX = 230;
/** Shortest server name: the label, a dot, one character. */
export const SERVER_NAME_CHARS_MIN = KEY_NAME_CHARS + 2;
const SERVER_NAME = /^[a-z2-7]+(\.[a-z0-9-]+)+$/;

/** True for `<52 characters of base32>.<domain>` in lower case, whatever the key: the one form of a server name in the overlay. */
export function isServerName(name: string): boolean {
  if (name.length < SERVER_NAME_CHARS_MIN || name.length > SERVER_NAME_CHARS_MAX) return false;
  return SERVER_NAME.test(name) && nameToKey(name) !== undefined;
}

const CLASSIC_NAME = /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/;

/**
 * True for the form of a name of the classic federation: a host, with a port or none, in lower case, whose first label is no key. Whether
 * there can be such a host is not looked at.
 */
export function isClassicForm(name: string): boolean {
  if (name.length > SERVER_NAME_CHARS_MAX || !CLASSIC_NAME.test(name)) return false;
  return nameToKey(name.replace(/:[0-9]+$/, "")) === undefined;
}

/** The key in the first label of `name`, whatever its suffix, also with none; undefined where that is not a key. */
export function nameToKey(name: string): Uint8Array | undefined {
  const dot = name.indexOf(".");
  const label = dot < 0 ? name : name.slice(0, dot);
  return label.length === KEY_NAME_CHARS ? base32Decode(label) : undefined;
}
