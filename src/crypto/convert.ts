/**
 * Ed25519 keys in X25519 form: one key pair both signs and agrees on secrets. A peer's public key is converted, never believed.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import { KEY_BYTES } from "./crypto.js";
import { isUsablePoint } from "./points.js";

/**
 * The X25519 public key of an Ed25519 public key: u = (1 + y) / (1 - y) (RFC 7748 4.1). Undefined for anything but 32 bytes that are
 * the canonical encoding of a point on the curve, not of small order.
 */
export function x25519FromEd25519(publicKey: Uint8Array): Uint8Array | undefined {
  if (publicKey.length !== KEY_BYTES || !isUsablePoint(publicKey)) return undefined;
  try {
    return ed25519.utils.toMontgomery(publicKey);
  } catch {
    return undefined; // not on the curve
  }
}

/** The X25519 secret of a 32-byte Ed25519 seed: the clamped first half of its SHA-512 (RFC 8032 5.1.5). */
export function x25519SecretFromSeed(seed: Uint8Array): Uint8Array {
  return ed25519.utils.toMontgomerySecret(seed);
}
