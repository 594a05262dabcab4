import { isServerName, nameToKey } from "../wire/name.js";
import { KEY_BODY_BYTES_MAX, KEY_RESPONSE_BYTES_MAX, KEY_VALIDITY_MAX_MS } from "./config.js";
import { FederationError } from "./errors.js";
import { canonicalJson, isJsonObject, type JsonObject, memberOf, parseJsonObject } from "./json.js";
import type { KeyFolder } from "./key-folder.js";
import { keyIdsOf, verifyJson } from "./signing.js";
import type { FederationStats } from "./stats.js";

export interface KeyResponsesOptions {
  readonly files: KeyFolder;
  readonly stats: FederationStats;
  /** The time of day, in ms since 1970. */
  readonly wallMs: () => number;
}

/** A key response that its server's own key vouches for. */
interface KeyResponse {
  readonly name: string;
  readonly validUntilMs: number;
  /** Canonical JSON, with the server's own signature alone. */
  readonly text: string;
}

const KNOWN_MEMBERS = ["old_verify_keys", "server_name", "signatures", "valid_until_ts", "verify_keys"];
/** The same names as Go reads them: its decoder takes any case, and the two letters that fold to `s` and `k`. */
const KNOWN_IN_ANY_CASE = /^(?:old_verify_keys|server_name|signatures|valid_until_ts|verify_keys)$/iu;

/**
 * Key responses of overlay servers (server-server API, "Publishing Keys" and "Querying Keys Through Another Server"). The name of such
 * a server is its key, and its homeserver signs with it: the name alone says whether a response is genuine, whoever hands it over. Those
 * that are genuine are kept, and serve while their server is away.
 */
export class KeyResponses {
  readonly #files: KeyFolder;
  readonly #stats: FederationStats;
  readonly #wallMs: () => number;

  constructor({ files, stats, wallMs }: KeyResponsesOptions) {
    this.#files = files;
    this.#stats = stats;
    this.#wallMs = wallMs;
  }

  /**
   * Checks the body of `name`'s answer to `GET /_matrix/key/v2/server`, and keeps it. Throws `PINYON_KEY_RESPONSE`, counted, unless
   * the name's key is among its `verify_keys`, under any version, and has signed it.
   */
  async checkServer(name: string, body: Uint8Array): Promise<void> {
    const object = readBody(body);
    const response = object === undefined ? undefined : readKeyResponse(name, object);
    if (response === undefined) throw this.#refusal(name);
    await this.#keep(response);
  }

  /**
   * An answer to `/_matrix/key/v2/query` without the responses of overlay servers that are not genuine, which are counted; the others of
   * overlay servers are kept. Those of classic servers stay. Throws `PINYON_KEY_RESPONSE`, counted, for what is no such answer.
   */
  async checkQuery(body: Uint8Array): Promise<Uint8Array> {
    const answer = readBody(body);
    const entries = answer === undefined ? undefined : memberOf(answer, "server_keys");
    if (!Array.isArray(entries)) throw this.#refusal("no list of server_keys");
    const passed: unknown[] = [];
    for (const entry of entries) if (await this.#passes(entry)) passed.push(entry);
    return Buffer.from(canonicalJson({ ...answer, server_keys: passed }));
  }

  /** What is kept of `name`, an answer to `GET /_matrix/key/v2/server`; undefined where nothing is, or what is has been tampered with. */
  async storedServer(name: string): Promise<Uint8Array | undefined> {
    const response = await this.#read(name);
    return response === undefined ? undefined : Buffer.from(response.text);
  }

  /** What is kept of these servers, an answer to `/_matrix/key/v2/query` of at most about `KEY_BODY_BYTES_MAX`. */
  async storedQuery(names: readonly string[]): Promise<Uint8Array> {
    const texts: string[] = [];
    let sizeBytes = 0;
    for (const name of new Set(names)) {
      const response = await this.#read(name);
      if (response === undefined) continue;
      sizeBytes += response.text.length;
      if (sizeBytes > KEY_BODY_BYTES_MAX) {
        this.#stats.keyAnswersCut++;
        break;
      }
      texts.push(response.text);
    }
    return Buffer.from(`{"server_keys":[${texts.join(",")}]}`);
  }

  async #passes(entry: unknown): Promise<boolean> {
    const name = isJsonObject(entry) ? memberOf(entry, "server_name") : undefined;
    if (isJsonObject(entry) && typeof name === "string") {
      if (!isOverlayLike(name)) return true;
      const response = readKeyResponse(name, entry);
      if (response !== undefined) {
        await this.#keep(response);
        return true;
      }
    }
    this.#stats.keyResponsesRefused++;
    return false;
  }

  /** Of two responses the one that is valid longer is kept, of two that are valid for long the newer. */
  async #keep(response: KeyResponse): Promise<void> {
    const kept = await this.#read(response.name);
    if (kept?.text === response.text) return;
    if (kept !== undefined && this.#believedMs(kept) > this.#believedMs(response)) return;
    try {
      await this.#files.write(response.name, response.text);
      this.#stats.keyResponsesKept++;
    } catch {
      // The files count it; the answer passes all the same.
    }
  }

  /** Receivers believe a response for at most a week ("Publishing Keys"): so no wrong clock keeps one for ever. */
  #believedMs({ validUntilMs }: KeyResponse): number {
    return Math.min(validUntilMs, this.#wallMs() + KEY_VALIDITY_MAX_MS);
  }

  /** Verified again: other programs can write to the disk, too. */
  async #read(name: string): Promise<KeyResponse | undefined> {
    const text = await this.#files.read(name);
    if (text === undefined) return undefined;
    const object = readBody(Buffer.from(text));
    const response = object === undefined ? undefined : readKeyResponse(name, object);
    if (response === undefined) this.#stats.keyResponsesRefused++;
    return response;
  }

  #refusal(detail: string): FederationError {
    this.#stats.keyResponsesRefused++;
    return new FederationError("PINYON_KEY_RESPONSE", detail);
  }
}

/** The servers whose keys the request `path` to `/_matrix/key/v2/query` asks for, by its path or, where that has none, by `body`. */
export function namesOfQuery(path: string, body: Uint8Array): readonly string[] {
  const inPath = /^\/_matrix\/key\/v2\/query\/([^/?]+)/.exec(path);
  if (inPath !== null) {
    try {
      return [decodeURIComponent(inPath[1]!)];
    } catch {
      return [];
    }
  }
  const servers = memberOf(readBody(body) ?? {}, "server_keys");
  return isJsonObject(servers) ? Object.keys(servers) : [];
}

/** True for an answer to `GET /_matrix/key/v2/server` of the overlay server `name`, signed by the name's key. */
export function isKeyResponse(name: string, body: Uint8Array): boolean {
  const object = readBody(body);
  return object !== undefined && readKeyResponse(name, object) !== undefined;
}

function readBody(body: Uint8Array): JsonObject | undefined {
  return body.length > KEY_BODY_BYTES_MAX ? undefined : parseJsonObject(body);
}

/**
 * The response of `name` that `object` is: with exactly this `server_name` (the same key under another suffix is another server), and
 * signed by the name's key. Other keys may stand beside that: it vouches for them. Undefined where it is not genuine, or too large.
 */
function readKeyResponse(name: string, object: JsonObject): KeyResponse | undefined {
  const key = isServerName(name) ? nameToKey(name) : undefined;
  if (key === undefined || memberOf(object, "server_name") !== name) return undefined;
  if (Object.keys(object).some((each) => KNOWN_IN_ANY_CASE.test(each) && !KNOWN_MEMBERS.includes(each)))
    return undefined;
  const validUntilMs = memberOf(object, "valid_until_ts");
  const keyId = keyIdsOf(object, key).find((id) => verifyJson(object, name, id, key));
  if (typeof validUntilMs !== "number" || keyId === undefined) return undefined;
  const signature = (object as { signatures: Record<string, JsonObject> }).signatures[name]![keyId];
  const text = canonicalJson({ ...object, unsigned: undefined, signatures: { [name]: { [keyId]: signature } } });
  return Buffer.byteLength(text) > KEY_RESPONSE_BYTES_MAX ? undefined : { name, validUntilMs, text };
}

/** True for the names of overlay servers, and for those that look like one but for their case or a port: they have no key of their own. */
function isOverlayLike(name: string): boolean {
  return isServerName(name.toLowerCase().replace(/:\d*$/, ""));
}
