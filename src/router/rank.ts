import type { Crypto } from "../crypto/crypto.js";
import { concatBytes, utf8 } from "../wire/bytes.js";

const TAG = utf8("pinyon-rank");

/** A key's rank in a tree, 16 bytes: of the eligible nodes the one with the highest is root. Each tree ranks the keys anew. */
export function rankOf(crypto: Crypto, tree: number, key: Uint8Array): Uint8Array {
  return crypto.hash(concatBytes(TAG, Uint8Array.of(tree), key)).slice(0, 16);
}
