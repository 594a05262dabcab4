import { Kind } from "./kinds.js";
import { bin, type FrameOf, Layout, uint } from "./layout.js";
import {
  EPOCH_MAX,
  HELLO_NONCE_BYTES,
  KEY_BYTES,
  NETWORK_ID_BYTES_MAX,
  PORT_MAX,
  PROOF_MAC_BYTES,
  SIGNATURE_BYTES,
} from "./limits.js";

/*
 *   dialler ── HELLO ─────────▶ listener     who I am
 *           ◀───────── HELLO ──              who I am, once yours is acceptable
 *           ── PROOF ─────────▶              my port for you, my signature over both hellos
 *           ◀── PROOF, CERT ───              the same, and my half of the link certificate
 *           ── CERT ──────────▶              my half
 */

/** A node without children: nobody's parent, never a root. */
export const CAPABILITY_LEAF = 1;

/** Versions fit one byte of msgpack, so that the third byte of a HELLO is its version whatever a later version puts behind it. */
const VERSION_MAX = 127;

/** The version that a HELLO of any protocol version states: checked before the rest is decoded, so that VERSION can be told. */
export const helloVersion = (message: Uint8Array): number => message[2] ?? -1;

/** Who a node is: version, network, capabilities (bit 0: leaf mode), key, and a nonce that makes every hello another. */
export const HELLO = new Layout(Kind.HELLO, {
  version: uint(VERSION_MAX),
  network: bin(0, NETWORK_ID_BYTES_MAX),
  capabilities: uint(255),
  key: bin(KEY_BYTES),
  nonce: bin(HELLO_NONCE_BYTES),
});
export type Hello = FrameOf<typeof HELLO>;

/**
 * The sender's port number for the link and its proposal for the link epoch (the larger of both holds), a MAC under the network's
 * secret and the node's signature, both over the two hellos, the sender's role, port and epoch.
 */
export const PROOF = new Layout(Kind.PROOF, {
  port: uint(PORT_MAX, 1),
  linkEpoch: uint(EPOCH_MAX),
  mac: bin(PROOF_MAC_BYTES),
  signature: bin(SIGNATURE_BYTES),
});
export type Proof = FrameOf<typeof PROOF>;

/** The sender's half of the link certificate: "I have your key on my port, under this link epoch". */
export const CERT = new Layout(Kind.CERT, { signature: bin(SIGNATURE_BYTES) });
