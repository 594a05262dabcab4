import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { SIGNATURES_MAX } from "./config.js";
import { canonicalJson, isJsonObject, type JsonObject, memberOf } from "./json.js";
import { KEY_ID, SIGNATURE, type XMatrix } from "./x-matrix.js";

/** What of a request is signed. `path` is path and query as they stand in the request line; `content` is the body's JSON, if it has one. */
export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly content?: unknown;
}

/** PKCS #8 of an Ed25519 private key (RFC 8410) is this and the 32-byte seed. */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * Signs as the server whose signing key is the node's (Matrix appendices, "Signing JSON"). Synapse and Dendrite make the same
 * signatures with the same seed.
 */
export class Signer {
  readonly #key: KeyObject;

  constructor(
    seed: Uint8Array,
    readonly name: string,
  ) {
    this.#key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: "der", type: "pkcs8" });
  }

  /** The 32 bytes that its signatures are good under. */
  get publicKey(): Uint8Array {
    return new Uint8Array(Buffer.from(createPublicKey(this.#key).export({ format: "jwk" }).x!, "base64url"));
  }

  /** The signature of bytes that are no JSON, in unpadded base64. */
  sign(message: Uint8Array): string {
    return unpaddedBase64(sign(null, message, this.#key));
  }

  /** `object` with this server's signature beside those that it has. Throws a `TypeError` where it has no canonical form. */
  signJson<T extends JsonObject>(object: T, keyId: string): T & { readonly signatures: JsonObject } {
    const signature = this.sign(signedBytes(object));
    const signatures = objectOf(memberOf(object, "signatures"));
    const ownSignatures = { ...objectOf(memberOf(signatures, this.name)), [keyId]: signature };
    return { ...object, signatures: { ...signatures, [this.name]: ownSignatures } };
  }

  /** The authorization of a request to `destination` (server-server API, "Request Authentication"). */
  authorization(request: SignedRequest & { readonly destination: string }, keyId: string): XMatrix {
    const { destination } = request;
    return {
      origin: this.name,
      destination,
      key: keyId,
      sig: this.sign(requestBytes(request, this.name, destination)),
    };
  }
}

/** True where `object` bears a signature of `name` under `keyId` that is good under `publicKey` (appendices, "Checking for a Signature"). */
export function verifyJson(object: JsonObject, name: string, keyId: string, publicKey: Uint8Array): boolean {
  const ofName = memberOf(objectOf(memberOf(object, "signatures")), name);
  const signature = memberOf(objectOf(ofName), keyId);
  return typeof signature === "string" && verifyBytes(() => signedBytes(object), signature, publicKey);
}

/** True where `x` authorizes this request and is good under `publicKey`, which its origin must have. */
export function verifyAuthorization(x: XMatrix, request: SignedRequest, publicKey: Uint8Array): boolean {
  return verifyBytes(() => requestBytes(request, x.origin, x.destination), x.sig, publicKey);
}

/** True where `signature`, in unpadded base64, is one of `message` under `publicKey`. */
export function verifyMessage(message: Uint8Array, signature: string, publicKey: Uint8Array): boolean {
  return verifyBytes(() => message, signature, publicKey);
}

/** Base64 without padding, as Matrix writes keys and signatures (appendices, "Unpadded Base64"). */
export function unpaddedBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}

/** The ids under which a key response states this key, `SIGNATURES_MAX` at most. */
export function keyIdsOf(response: JsonObject, publicKey: Uint8Array): readonly string[] {
  const keys = objectOf(memberOf(response, "verify_keys"));
  const base64 = unpaddedBase64(publicKey);
  const states = (id: string) => KEY_ID.test(id) && memberOf(objectOf(keys[id]), "key") === base64;
  return Object.keys(keys).filter(states).slice(0, SIGNATURES_MAX);
}

function signedBytes(object: JsonObject): Buffer {
  const { signatures: _signatures, unsigned: _unsigned, ...rest } = object;
  return Buffer.from(canonicalJson(rest));
}

function requestBytes({ method, path, content }: SignedRequest, origin: string, destination: string): Buffer {
  return signedBytes({ method, uri: path, origin, destination, content });
}

/** False for whatever cannot be read or verified; never throws. */
function verifyBytes(message: () => Uint8Array, signature: string, publicKey: Uint8Array): boolean {
  if (!SIGNATURE.test(signature)) return false;
  try {
    const x = Buffer.from(publicKey).toString("base64url");
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    return verify(null, message(), key, Buffer.from(signature, "base64"));
  } catch {
    return false;
  }
}

function objectOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}
