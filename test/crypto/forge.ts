/** Signatures that only a dishonest signer makes: with parts of small order in the key or in R, or with S not reduced. */
import { ed25519 } from "@noble/curves/ed25519.js";
import { portableCrypto } from "../../src/crypto/portable.js";
import { hex } from "./support.js";

/** Order of the base point. */
export const L = ed25519.Point.Fn.ORDER;
const BASE = ed25519.Point.BASE;
/** T, a point of order 8. */
const TORSION = ed25519.Point.fromBytes(hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"));

/** What a dishonest signer chooses: the key secret·B + keyTorsion·T, and R = r·B + rTorsion·T. */
export interface Choice {
  /** 0 leaves a key of small order. */
  readonly secret: bigint;
  readonly keyTorsion: number;
  /** 0 leaves an R of small order. */
  readonly r: bigint;
  readonly rTorsion: number;
  /** Another encoding of the same key. */
  readonly publicKey?: Uint8Array;
}

export interface Forgery {
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
  /** Whether SB = R + kA holds without the cofactor; times 8 it always does. */
  readonly exact: boolean;
}

export function forge(message: Uint8Array, choice: Choice): Forgery {
  const { secret, keyTorsion, r, rTorsion } = choice;
  const publicKey = choice.publicKey ?? pointOf(secret, keyTorsion);
  const rBytes = pointOf(r, rTorsion);
  const k = numberOf(portableCrypto.hash(Buffer.concat([rBytes, publicKey, message]))) % L;
  const signature = Uint8Array.from([...rBytes, ...bytesOf((r + k * secret) % L)]);
  return { publicKey, signature, exact: (rTorsion + Number(k % 8n) * keyTorsion) % 8 === 0 };
}

/** Forgeries with each part of small order in the key and each in R. */
export function forgeries(message: Uint8Array, secret: bigint, r: bigint): Forgery[] {
  const choices = Array.from({ length: 64 }, (_, i) => ({ secret, keyTorsion: i >> 3, r, rTorsion: i & 7 }));
  return choices.map((choice) => forge(message, choice));
}

/** The signature with `addend` added to S. */
export function withSPlus(signature: Uint8Array, addend: bigint): Uint8Array {
  return Uint8Array.from([...signature.subarray(0, 32), ...bytesOf(numberOf(signature.subarray(32)) + addend)]);
}

function pointOf(scalar: bigint, torsion: number): Uint8Array {
  return BASE.multiplyUnsafe(scalar)
    .add(TORSION.multiplyUnsafe(BigInt(torsion)))
    .toBytes();
}

/** A little-endian number. */
function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function bytesOf(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}
