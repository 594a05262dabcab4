import { JSON_DEPTH_MAX } from "./config.js";

/*
 * JSON that is signed (Matrix appendices, "Canonical JSON"). Where a name comes twice in an object the last one is taken, as
 * Synapse does: a signature is over what the receiver reads. What was checked is passed on as canonical JSON where that
 * matters, so that no reader with another rule sees something else.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*"/g;
/** A fraction, an exponent or a minus zero, in JSON without its strings: canonical JSON has none, and a parser hides them. */
const NO_INTEGER = /\d[.eE]|-0/;

/**
 * The value of a JSON text in UTF-8 that has a canonical form; undefined where there is none: other bytes, numbers that are no
 * integers within ±(2^53 - 1), lone surrogates, more than `JSON_DEPTH_MAX` levels.
 */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    const text = utf8.decode(bytes);
    const value: unknown = JSON.parse(text);
    const bones = text.replace(STRINGS, "");
    if (NO_INTEGER.test(bones) || depthOf(bones) > JSON_DEPTH_MAX) return undefined;
    return isCanonical(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The object that `bytes` spell, as `parseJson` reads them; undefined for any other value too. */
export function parseJsonObject(bytes: Uint8Array): JsonObject | undefined {
  const value = parseJson(bytes);
  return isJsonObject(value) ? value : undefined;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What the object holds under this name itself: `constructor` and its kin are names as any other. */
export function memberOf(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/**
 * Canonical JSON: no spaces, names in the order of their code points, strings in their shortest form. Members that are
 * `undefined` are left out. Throws a `TypeError` for a value that has no canonical form; one from `parseJson` has it.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (isJsonObject(value)) {
    const members = Object.keys(value)
      .filter((name) => value[name] !== undefined)
      .sort(compareCodePoints)
      .map((name) => `${canonicalJson(name)}:${canonicalJson(value[name])}`);
    return `{${members.join(",")}}`;
  }
  if (!isCanonicalScalar(value)) throw new TypeError(`no canonical JSON for ${typeof value} ${String(value)}`);
  // The platform's escapes of strings are the shortest ones, which the specification asks for.
  return JSON.stringify(value);
}

function isCanonical(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isCanonical);
  if (isJsonObject(value))
    return Object.entries(value).every(([name, member]) => isCanonical(name) && isCanonical(member));
  return isCanonicalScalar(value);
}

function isCanonicalScalar(value: unknown): boolean {
  if (typeof value === "string") return !/\p{Surrogate}/u.test(value);
  if (typeof value === "number") return Number.isSafeInteger(value) && !Object.is(value, -0);
  return value === null || typeof value === "boolean";
}

/** UTF-16, which the platform sorts by, differs from this where a name has characters beyond the first 65,536. */
function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function depthOf(bones: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of bones) {
    if (character === "[" || character === "{") deepest = Math.max(deepest, ++depth);
    else if (character === "]" || character === "}") depth--;
  }
  return deepest;
}
