import { FederationError } from "./errors.js";

/** What a request asks for, as far as the node treats requests apart. */
export type PathKind =
  /** `PUT /send/{txnId}`: a transaction. */
  | "send"
  /** A server's own key response. */
  | "keys-of-server"
  /** Key responses of several servers. */
  | "keys-query"
  /** A node asks this one to be woken: answered by the node itself. */
  | "wake"
  | "other";

export interface PathClass {
  /** The request must bear X-Matrix; where false it may. */
  readonly isSigned: boolean;
  readonly kind: PathKind;
}

/** Where a node asks another for a wake-up: POST without a body, answered by the node itself with 202, or 429 where it asks too often. */
export const WAKE_PATH = "/_pinyon/v1/wake";

interface Rule extends PathClass {
  readonly methods: readonly string[];
  readonly path: RegExp;
  readonly isMedia?: true;
}

/**
 * All that passes; the first line that fits counts. Paths and who needs no authentication: server-server API. `openid/userinfo` and
 * `3pid/onbind` need none there because services that are no homeservers call them; there are none in the overlay. Legacy media need
 * none, and Dendrite sends none.
 */
const RULES: readonly Rule[] = [
  { methods: ["PUT"], path: /^\/_matrix\/federation\/v1\/send\/[^/]+\/?$/, kind: "send", isSigned: true },
  { methods: ["GET"], path: /^\/_matrix\/federation\/v1\/version$/, kind: "other", isSigned: false },
  {
    methods: ["GET", "PUT", "POST"],
    path: /^\/_matrix\/federation\/(?:v[1-9]|unstable)\/./,
    kind: "other",
    isSigned: true,
  },
  { methods: ["GET"], path: /^\/_matrix\/key\/v2\/server(?:\/[^/]*)?$/, kind: "keys-of-server", isSigned: false },
  { methods: ["GET"], path: /^\/_matrix\/key\/v2\/query\/[^/]+(?:\/[^/]*)?$/, kind: "keys-query", isSigned: false },
  { methods: ["POST"], path: /^\/_matrix\/key\/v2\/query$/, kind: "keys-query", isSigned: false },
  {
    methods: ["GET"],
    path: /^\/_matrix\/media\/(?:r0|v1|v3)\/(?:download|thumbnail)\/[^/]+\/[^/]+(?:\/[^/]*)?$/,
    kind: "other",
    isSigned: false,
    isMedia: true,
  },
  { methods: ["GET"], path: /^\/\.well-known\/matrix\/server$/, kind: "other", isSigned: false },
  { methods: ["POST"], path: new RegExp(`^${WAKE_PATH}$`), kind: "wake", isSigned: false },
];

/** Deepest encoding of a path that is looked through: an id of a user may hold a `%`. */
const DECODINGS_MAX = 4;
const PRINTABLE = /^\/[\x21\x22\x24-\x5b\x5d-\x7e]*$/;
const CONTROL_OR_BACKSLASH = /[\p{Cc}\\]/u;
/** Some servers cut a segment at a semicolon. */
const DOT_SEGMENT = /(?:^|\/)\.{1,2}(?:[/;?#]|$)/;
const MEDIA_QUERY = /^[a-z_]+=[^&;]*(?:&[a-z_]+=[^&;]*)*$/;

/**
 * What the request `method path` asks for; `path` is path and query, byte for byte as they are signed and passed on. Throws
 * `PINYON_PATH` for all that is not federation, and for paths that a homeserver, or a proxy before it, might take for another.
 */
export function classify(method: string, path: string): PathClass {
  const queryAt = path.indexOf("?");
  const [bare, query] = queryAt < 0 ? [path, ""] : [path.slice(0, queryAt), path.slice(queryAt + 1)];
  if (!PRINTABLE.test(path)) throw refusal("it has characters that no URI has");
  const rule = RULES.find((each) => each.path.test(bare));
  if (rule === undefined) throw refusal("it is not on the list");
  if (!rule.methods.includes(method)) throw refusal(`its methods are ${rule.methods.join(" ")}`);
  if (!isFixed(bare)) throw refusal("it can be taken for another path");
  if (rule.isMedia && !isLocalMedia(query)) throw refusal("media pass only with allow_remote=false");
  return { isSigned: rule.isSigned, kind: rule.kind };
}

/**
 * True where no reading of the path leaves its prefix. Synapse (Twisted) splits the raw path and decodes each part, Dendrite (gorilla
 * mux with `UseEncodedPath` and `SkipClean`) matches the raw path: neither resolves dot segments. A proxy before them may decode the
 * whole path first, and resolve them after. Only a dot segment climbs, so none is let through, at whatever depth of encoding and with
 * whatever slash. An encoded slash passes: an event id of room version 3 is base64 and may hold one, or two in a row.
 */
function isFixed(path: string): boolean {
  if (path.includes("//")) return false;
  let text = path;
  for (let depth = 0; depth <= DECODINGS_MAX; depth++) {
    if (CONTROL_OR_BACKSLASH.test(text) || DOT_SEGMENT.test(text)) return false;
    const decoded = depth === 0 ? decodeStrictly(text) : decodeAscii(text);
    if (decoded === undefined) return false;
    if (decoded === text) return true;
    text = decoded;
  }
  return false;
}

/** Undefined for a `%` without its digits and for what is not UTF-8, overlong forms among it. */
function decodeStrictly(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** As a lenient server decodes once more: an id that holds a `%` is no encoding and needs no right one. */
function decodeAscii(text: string): string {
  return text.replace(/%([0-7][0-9a-f])/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/**
 * True where the homeserver will not fetch the media from a third server. The parameter must come once and literally: of two, servers
 * take the first or the last, Twisted also splits at semicolons, and all decode names.
 */
function isLocalMedia(query: string): boolean {
  if (!MEDIA_QUERY.test(query)) return false;
  const settings = query.split("&").filter((parameter) => parameter.startsWith("allow_remote="));
  return settings.length === 1 && settings[0] === "allow_remote=false";
}

function refusal(detail: string): FederationError {
  return new FederationError("PINYON_PATH", detail);
}
