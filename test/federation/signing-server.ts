import { createPrivateKey, createPublicKey } from "node:crypto";
import type { JsonObject } from "../../src/federation/json.js";
import { Signer, unpaddedBase64 } from "../../src/federation/signing.js";
import { keyToName } from "../../src/wire/name.js";

/** A homeserver of the overlay as far as keys go: its signing key is its node's. */
export interface SigningServer {
  readonly name: string;
  readonly key: Uint8Array;
  readonly signer: Signer;
}

export const KEY_ID = "ed25519:a_Test";
export const DAY_MS = 24 * 3_600_000;
/** An instant of the tests. */
export const NOW_MS = 1_750_000_000_000;

export function signingServer(seedByte: number, suffix?: string): SigningServer {
  const seed = Buffer.alloc(32, seedByte);
  const key = publicKeyOf(seed);
  const name = keyToName(key, suffix);
  return { name, key, signer: new Signer(seed, name) };
}

/** The key response of `server`, as a homeserver gives it; `changes` are made before it is signed. */
export function keyResponseOf(server: SigningServer, changes: JsonObject = {}, keyId = KEY_ID): JsonObject {
  const response = {
    server_name: server.name,
    verify_keys: { [keyId]: { key: unpaddedBase64(server.key) } },
    old_verify_keys: {},
    valid_until_ts: NOW_MS + DAY_MS,
    ...changes,
  };
  return server.signer.signJson(response, keyId);
}

export function bytesOf(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

export function publicKeyOf(seed: Uint8Array): Uint8Array {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const { x } = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" })).export({ format: "jwk" });
  return Buffer.from(x!, "base64url");
}
