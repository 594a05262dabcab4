import { randomBytes } from "node:crypto";
import { keyToName, nameToKey } from "../wire/name.js";
import { hostOf } from "./binding/bindings.js";
import { NODE_MEMBER, readBinding, timeText } from "./binding/statement.js";
import type { WellKnown } from "./classic/well-known.js";
import { headerValues } from "./headers.js";
import type { Homeserver } from "./homeserver.js";
import { canonicalJson, isJsonObject, type JsonObject, memberOf, parseJsonObject } from "./json.js";
import type { OutboundRequest } from "./local-listener.js";
import { classify } from "./paths.js";
import { keyIdsOf, Signer, unpaddedBase64, verifyAuthorization, verifyJson } from "./signing.js";
import type { FederationStats } from "./stats.js";
import { formatXMatrix, readXMatrix } from "./x-matrix.js";

/** One step of a check. */
export interface CheckStep {
  /** Of a homeserver: `listener`, `key`, `inward`, `outward` or `binding`. */
  readonly step: string;
  readonly ok: boolean;
  /** What was seen, and where that is not what should be, what to do: a sentence. */
  readonly text: string;
}

export interface SelfCheckOptions {
  readonly homeserver: Homeserver;
  /** The homeserver's name. */
  readonly name: string;
  /** Signs with the node's key, which is the homeserver's as well where its name holds that. */
  readonly node: Signer;
  /** Asks names what they say; undefined where the node asks no classic servers. */
  readonly wellKnown: WellKnown | undefined;
  readonly stats: FederationStats;
  /** Hands what the homeserver asks of the server `name` to `handler`, until the function it gives is called. */
  readonly watch: (name: string, handler: (outbound: OutboundRequest) => void) => () => void;
}

/** The version of a key that is made for one check. */
const KEY_ID = "ed25519:check";
/** For so long a key response of such a key is good, in ms. */
const VALID_MS = 60_000;
const SEED_BYTES = 32;
/** What a name said so long ago is asked for anew, in ms: somebody may be trying. */
const CHECK_AGE_MS = 5_000;
/** A statement that ends so soon is to be renewed, in ms. */
const RENEW_MS = 30 * 24 * 3_600_000;
const GET = { method: "GET", headers: {}, hasBody: false };

/**
 * Looks whether the homeserver beside this node federates through it, each way with a signature, step by step until one fails. The
 * other server is this node itself: inward under its own name, outward under a name made for the occasion. A homeserver with a key of its own
 * is asked by the latter alone, and its name must say which node it is bound to.
 */
export async function selfCheck(options: SelfCheckOptions): Promise<CheckStep[]> {
  const steps: CheckStep[] = [];
  const { name, node } = options;
  const isClassic = node.name !== name;
  let own: OwnKey = { keyId: "", key: node.publicKey };
  const checks: [step: string, run: () => Promise<string>][] = [
    ["listener", () => checkListener(options)],
    [
      "key",
      async () => {
        own = await checkKey(options, isClassic);
        return `it is ${name}, and signs with ${isClassic ? "a key of its own" : "the node's key"} as ${own.keyId}`;
      },
    ],
    ...(isClassic ? [] : [["inward", () => checkInward(options, own.keyId)] satisfies [string, unknown]]),
    ["outward", () => checkOutward(options, own.key)],
    ...(isClassic ? [["binding", () => checkBinding(options)] satisfies [string, unknown]] : []),
  ];
  for (const [step, run] of checks) {
    try {
      steps.push({ step, ok: true, text: await run() });
    } catch (error) {
      steps.push({ step, ok: false, text: error instanceof Error ? error.message : String(error) });
      break;
    }
  }
  return steps;
}

async function checkListener({ homeserver }: SelfCheckOptions): Promise<string> {
  const { status } = await homeserver.ask({ ...GET, path: "/_matrix/federation/v1/version" }).catch((error: Error) => {
    const { message } = error.cause instanceof Error ? error.cause : error;
    throw new Error(`it does not answer (${message}): start the homeserver; its log says why where it does not`);
  });
  if (status === 200) return "it answers";
  throw new Error(
    `it answers ${status} where its version was asked for: give that listener the resource \`federation\``,
  );
}

/** A key that the homeserver signs with. */
interface OwnKey {
  readonly keyId: string;
  readonly key: Uint8Array;
}

/** The key that the homeserver states and signs with: the node's, or its own. */
async function checkKey({ homeserver, name, node }: SelfCheckOptions, isClassic: boolean): Promise<OwnKey> {
  const { body } = await homeserver.ask({ ...GET, path: "/_matrix/key/v2/server" });
  const response = parseJsonObject(body) ?? {};
  const stated = memberOf(response, "server_name");
  if (stated !== name)
    throw new Error(
      `it is ${String(stated)}, and this node is ${name}: they must have one name; where its own file names this node, another homeserver has its port`,
    );
  const keys = isClassic ? keysOf(response) : [node.publicKey];
  for (const key of keys) {
    const keyId = keyIdsOf(response, key).find((id) => verifyJson(response, name, id, key));
    if (keyId !== undefined) return { keyId, key };
  }
  if (isClassic) throw new Error("it does not sign with a key that it states: its log says why");
  throw new Error("it signs with another key than this node's: give it the node's key, and start it again");
}

async function checkInward({ homeserver, node }: SelfCheckOptions, keyId: string): Promise<string> {
  const { isGood, text } = await askSigned(homeserver, node, node.name, keyId);
  if (isGood) return "it takes a request that the node signed";
  throw new Error(`it refuses a request that the node signed: ${text}`);
}

/** The request is signed by a server that the homeserver cannot know, so that it must ask that server for its key: this node answers. */
async function checkOutward(
  { homeserver, name, node, stats, watch }: SelfCheckOptions,
  ownKey: Uint8Array,
): Promise<string> {
  const seed = randomBytes(SEED_BYTES);
  const suffix = node.name.slice(node.name.indexOf(".") + 1);
  const server = new Signer(seed, keyToName(new Signer(seed, "").publicKey, suffix));
  const before = { credentials: stats.outboundErrors.PINYON_CREDENTIAL, tls: stats.tlsFailures };
  /** Of each request that came, whether it is signed as it should. */
  const signed: boolean[] = [];
  const unwatch = watch(server.name, ({ path, request, response }) => {
    const isKeys = isForKeys(request.method, path);
    if (isKeys) signed.push(isSignedBy(name, ownKey, server.name, path, request.rawHeaders));
    response.writeHead(isKeys ? 200 : 404, { "content-type": "application/json" });
    response.end(isKeys ? canonicalJson(keyResponse(server)) : "{}");
  });
  const asked = askSigned(homeserver, server, name, KEY_ID).catch((error: Error) => ({
    isGood: false,
    text: error.message,
  }));
  const { isGood, text } = await asked.finally(unwatch);
  if (signed.includes(false))
    throw new Error("what it sends is not signed with the key that it states: start it again");
  if (signed.length === 0) throw new Error(absenceText(stats, before));
  if (isGood) return "it asks other servers through the node, and takes their answers";
  throw new Error(`it asked another server through the node, and did not take the answer: ${text}`);
}

/** What others will find when they look which node this server is bound to. Asked by the way that they go, as the name's owner cannot fake it. */
async function checkBinding({ name, node, wellKnown }: SelfCheckOptions): Promise<string> {
  const host = hostOf(name);
  if (host === undefined) {
    return `${name} has no well-known address: others must be given the output of \`pinyon binding show\` by hand`;
  }
  const where = `https://${host}/.well-known/matrix/server`;
  const put = `put the output of \`pinyon binding show\` there as \`${NODE_MEMBER}\``;
  if (wellKnown === undefined) {
    throw new Error("this node asks no classic servers, and so cannot see what its name says: set `classic: direct`");
  }
  const said = await wellKnown.ask(host, CHECK_AGE_MS);
  if (said.node === undefined)
    throw new Error(`${where} ${said.isSaid ? "does not bind it" : "cannot be fetched, or is no JSON"}: ${put}`);
  const wallMs = Date.now();
  const binding = readBinding(said.node, wallMs);
  if (binding.name !== name) throw new Error(`${where} binds ${binding.name}, and not ${name}: ${put}`);
  if (Buffer.compare(binding.key, node.publicKey) !== 0) throw new Error(`${where} binds it to another node: ${put}`);
  const left = binding.expiresMs - wallMs < RENEW_MS ? `, which is soon: ${put} anew` : "";
  return `${where} binds it to this node until ${timeText(binding.expiresMs)}${left}`;
}

function isForKeys(method = "", path: string): boolean {
  try {
    return classify(method, path).kind === "keys-of-server";
  } catch {
    return false;
  }
}

/** Asks for an alias that does not exist: Synapse and Dendrite answer 401 to a wrong signature, and 404 to a good one. */
async function askSigned(homeserver: Homeserver, signer: Signer, destination: string, keyId: string) {
  const alias = encodeURIComponent(`#pinyon-check:${destination}`);
  const head = { ...GET, path: `/_matrix/federation/v1/query/directory?room_alias=${alias}` };
  const signature = signer.authorization({ ...head, destination }, keyId);
  const { status, body } = await homeserver.ask({ ...head, headers: { authorization: formatXMatrix(signature) } });
  const { error, message } = (parseJsonObject(body) ?? {}) as { error?: unknown; message?: unknown };
  return { isGood: status === 404 || status === 200, text: `${status} ${String(error ?? message ?? "")}` };
}

/** Why nothing came, by what was refused meanwhile. */
function absenceText(
  { outboundErrors, tlsFailures }: FederationStats,
  before: { credentials: number; tls: number },
): string {
  if (outboundErrors.PINYON_CREDENTIAL > before.credentials) {
    return "it shows a wrong credential: `homeserver.secret` is not what its configuration has; start it and the node again";
  }
  if (tlsFailures > before.tls)
    return "it does not trust the node's certificate: it must run with SSL_CERT_FILE set to ca.pem";
  return "it does not ask the node: start it again as `connect` said, so that what was changed takes effect";
}

/** Synapse signs what it asks for keys, though it need not; Dendrite does not. */
function isSignedBy(
  name: string,
  publicKey: Uint8Array,
  destination: string,
  path: string,
  rawHeaders: readonly string[],
): boolean {
  const values = headerValues(rawHeaders, "authorization");
  if (values.length === 0) return true;
  try {
    const signatures = readXMatrix(values);
    return signatures.some((signature) => {
      const isMeant = signature.origin === name && signature.destination === destination;
      return isMeant && verifyAuthorization(signature, { method: "GET", path }, publicKey);
    });
  } catch {
    return false;
  }
}

/** The Ed25519 keys that a key response states. */
function keysOf(response: JsonObject): Uint8Array[] {
  const stated = memberOf(response, "verify_keys");
  const keys = isJsonObject(stated) ? Object.values(stated) : [];
  return keys
    .map((each) => (isJsonObject(each) ? memberOf(each, "key") : undefined))
    .filter((key) => typeof key === "string" && /^[0-9A-Za-z+/]{43}$/.test(key))
    .map((key) => new Uint8Array(Buffer.from(key as string, "base64")));
}

function keyResponse(server: Signer) {
  const key = unpaddedBase64(nameToKey(server.name)!);
  const times = { valid_until_ts: Date.now() + VALID_MS };
  return server.signJson(
    { server_name: server.name, ...times, old_verify_keys: {}, verify_keys: { [KEY_ID]: { key } } },
    KEY_ID,
  );
}
