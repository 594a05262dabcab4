import type { Crypto } from "../crypto/crypto.js";
import { portableCrypto } from "../crypto/portable.js";
import { nativeCrypto } from "./native-crypto.js";

/** The set to run with, and why it is not the native one where that was wanted but cannot be loaded, for the log. */
export interface CryptoChoice {
  readonly crypto: Crypto;
  readonly fallbackReason?: string;
}

/**
 * Chooses by `PINYON_CRYPTO`: `native` or `portable`; unset or empty takes the native set, or the portable one where the native
 * cannot be loaded. Throws an Error with code `PINYON_CRYPTO_UNKNOWN` for another value, and with `PINYON_CRYPTO_UNAVAILABLE`, the
 * cause beside it, where `native` was asked for by name and cannot be loaded.
 */
export function chooseCrypto(env: Readonly<Record<string, string | undefined>>): CryptoChoice {
  const wanted = env["PINYON_CRYPTO"] ?? "";
  switch (wanted) {
    case "portable":
      return { crypto: portableCrypto };
    case "native":
    case "":
      break;
    default: {
      const message = `PINYON_CRYPTO is "${wanted}", expected "native", "portable" or nothing`;
      throw Object.assign(new Error(message), { code: "PINYON_CRYPTO_UNKNOWN" });
    }
  }
  try {
    return { crypto: nativeCrypto() };
  } catch (cause) {
    if (wanted === "") return { crypto: portableCrypto, fallbackReason: messageOf(cause) };
    const message = `PINYON_CRYPTO is "native", but sodium-native cannot be loaded: ${messageOf(cause)}`;
    throw Object.assign(new Error(message, { cause }), { code: "PINYON_CRYPTO_UNAVAILABLE" });
  }
}

function messageOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause === undefined ? cause.message : `${cause.message}: ${messageOf(cause.cause)}`;
}
