import { randomBytes } from "node:crypto";
import { keyToName, nameToKey } from "../wire/name.js";
import { headerValues } from "./headers.js";
import type { Homeserver } from "./homeserver.js";
import { canonicalJson, memberOf, parseJsonObject } from "./json.js";
import type { OutboundRequest } from "./local-listener.js";
import { classify } from "./paths.js";
import { keyIdsOf, Signer, unpaddedBase64, verifyAuthorization, verifyJson } from "./signing.js";
import type { FederationStats } from "./stats.js";
import { formatXMatrix, readXMatrix } from "./x-matrix.js";

/** One step of a check. */
export interface CheckStep {
  /** Of a homeserver: `listener`, `key`, `inward` or `outward`. */
  readonly step: string;
  readonly ok: boolean;
  /** What was seen, and where that is not what should be, what to do: a sentence. */
  readonly text: string;
}

export interface SelfCheckOptions {
  readonly homeserver: Homeserver;
  /** Signs as this node's homeserver. */
  readonly signer: Signer;
  readonly stats: FederationStats;
  /** Hands what the homeserver asks of the server `name` to `handler`, until the function it gives is called. */
  readonly watch: (name: string, handler: (outbound: OutboundRequest) => void) => () => void;
}

/** The version of a key that is made for one check. */
const KEY_ID = "ed25519:check";
/** For so long a key response of such a key is good, in ms. */
const VALID_MS = 60_000;
const SEED_BYTES = 32;
const GET = { method: "GET", headers: {}, hasBody: false };

/**
 * Looks whether the homeserver beside this node federates through it, each way with a signature, step by step until one fails. The
 * other server is this node itself: inward under its own name, outward under a name made for the occasion.
 */
export async function selfCheck(options: SelfCheckOptions): Promise<CheckStep[]> {
  const steps: CheckStep[] = [];
  let keyId = "";
  const checks: [step: string, run: () => Promise<string>][] = [
    ["listener", () => checkListener(options)],
    [
      "key",
      async () => {
        keyId = await checkKey(options);
        return `it is ${options.signer.name}, and signs with the node's key as ${keyId}`;
      },
    ],
    ["inward", () => checkInward(options, keyId)],
    ["outward", () => checkOutward(options)],
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

/** Gives the id under which the homeserver states the node's key. */
async function checkKey({ homeserver, signer }: SelfCheckOptions): Promise<string> {
  const { name, publicKey } = signer;
  const { body } = await homeserver.ask({ ...GET, path: "/_matrix/key/v2/server" });
  const response = parseJsonObject(body) ?? {};
  const stated = memberOf(response, "server_name");
  if (stated !== name)
    throw new Error(
      `it is ${String(stated)}, and this node is ${name}: they must have one name; where its own file names this node, another homeserver has its port`,
    );
  const keyId = keyIdsOf(response, publicKey).find((id) => verifyJson(response, name, id, publicKey));
  if (keyId !== undefined) return keyId;
  throw new Error("it signs with another key than this node's: give it the node's key, and start it again");
}

async function checkInward({ homeserver, signer }: SelfCheckOptions, keyId: string): Promise<string> {
  const { isGood, text } = await askSigned(homeserver, signer, signer.name, keyId);
  if (isGood) return "it takes a request that the node signed";
  throw new Error(`it refuses a request that the node signed: ${text}`);
}

/** The request is signed by a server that the homeserver cannot know, so that it must ask that server for its key: this node answers. */
async function checkOutward({ homeserver, signer, stats, watch }: SelfCheckOptions): Promise<string> {
  const seed = randomBytes(SEED_BYTES);
  const suffix = signer.name.slice(signer.name.indexOf(".") + 1);
  const server = new Signer(seed, keyToName(new Signer(seed, "").publicKey, suffix));
  const before = { credentials: stats.outboundErrors.PINYON_CREDENTIAL, tls: stats.tlsFailures };
  /** Of each request that came, whether it is signed as it should. */
  const signed: boolean[] = [];
  const unwatch = watch(server.name, ({ path, request, response }) => {
    const isKeys = isForKeys(request.method, path);
    if (isKeys) signed.push(isSignedBy(signer, server.name, path, request.rawHeaders));
    response.writeHead(isKeys ? 200 : 404, { "content-type": "application/json" });
    response.end(isKeys ? canonicalJson(keyResponse(server)) : "{}");
  });
  const asked = askSigned(homeserver, server, signer.name, KEY_ID).catch((error: Error) => ({
    isGood: false,
    text: error.message,
  }));
  const { isGood, text } = await asked.finally(unwatch);
  if (signed.includes(false)) throw new Error("what it sends is not signed with this node's key: start it again");
  if (signed.length === 0) throw new Error(absenceText(stats, before));
  if (isGood) return "it asks other servers through the node, and takes their answers";
  throw new Error(`it asked another server through the node, and did not take the answer: ${text}`);
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
  { name, publicKey }: Signer,
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

function keyResponse(server: Signer) {
  const key = unpaddedBase64(nameToKey(server.name)!);
  const times = { valid_until_ts: Date.now() + VALID_MS };
  return server.signJson(
    { server_name: server.name, ...times, old_verify_keys: {}, verify_keys: { [KEY_ID]: { key } } },
    KEY_ID,
  );
}
