import { base32Encode, isClassicForm, nameToKey } from "../../wire/name.js";
import { NODE_BYTES_MAX } from "../classic/config.js";
import { isClassicName } from "../classic/server-name.js";
import { FederationError } from "../errors.js";
import { type JsonObject, parseJsonObject } from "../json.js";
import { type Signer, verifyMessage } from "../signing.js";
import { CLOCK_SKEW_MS, STATEMENT_VALID_MAX_MS } from "./config.js";

/*
 * A node's word that it speaks for a classic server. The name's owner puts it under the name, where nobody else can: by both a name that
 * holds no key is bound to one.
 *
 * What is signed, with the node's key (PROTOCOL.md, "Bindings"):
 *
 *   "pinyon/1 binding" 00 00   no network stands between the zero bytes: names are the same in all
 *   32   the node's key
 *   6    when it was made, 6 until when it is good: Unix time in ms
 *   n    the server's name
 */
/** The member of the well-known answer that holds it. */
export const NODE_MEMBER = "pinyon.node";
const TAG = "pinyon/1 binding";
const TIME_BYTES = 6;
const MEMBERS = ["expires_ts", "issued_ts", "node", "server_name", "signature"];

/** A classic server's name and the node that is bound to it. Times are Unix times in ms. */
export interface Binding {
  readonly name: string;
  readonly key: Uint8Array;
  readonly issuedMs: number;
  readonly expiresMs: number;
  /** By the node, in unpadded base64. */
  readonly signature: string;
}

/** A node's statement. */
export function makeBinding(signer: Signer, name: string, issuedMs: number, expiresMs: number): Binding {
  const binding = { name, key: signer.publicKey, issuedMs, expiresMs };
  return { ...binding, signature: signer.sign(signedBytes(binding)) };
}

/** The JSON object that stands under the name. */
export function statementOf({ name, key, issuedMs, expiresMs, signature }: Binding): JsonObject {
  return { server_name: name, node: base32Encode(key), issued_ts: issuedMs, expires_ts: expiresMs, signature };
}

/** Reads what may come from anywhere. Throws `PINYON_BINDING`, which says why, for what is no statement that is good at `wallMs`. */
export function readBinding(text: string | Uint8Array, wallMs: number): Binding {
  const binding = readForm(Buffer.from(text));
  const { issuedMs, expiresMs } = binding;
  if (!verifyMessage(signedBytes(binding), binding.signature, binding.key)) {
    throw refusal("it is not signed by the node that it names");
  }
  if (expiresMs <= issuedMs || expiresMs - issuedMs > STATEMENT_VALID_MAX_MS)
    throw refusal("it is good for no time, or for too long");
  if (issuedMs > wallMs + CLOCK_SKEW_MS) throw refusal(`it is good from ${timeText(issuedMs)} on`);
  if (expiresMs <= wallMs) throw refusal(`it was good until ${timeText(expiresMs)}`);
  return binding;
}

export function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d+/, "");
}

function readForm(bytes: Uint8Array): Binding {
  const object = bytes.length > NODE_BYTES_MAX ? undefined : parseJsonObject(bytes);
  if (object === undefined) throw refusal(`it is no JSON object of at most ${NODE_BYTES_MAX} bytes`);
  if (Object.keys(object).sort().join() !== MEMBERS.join()) throw refusal(`expected ${MEMBERS.join(", ")}`);
  const { server_name: name, node, issued_ts: issuedMs, expires_ts: expiresMs, signature } = object;
  if (typeof name !== "string" || !isBindable(name)) throw refusal("its name is none of a classic server");
  const key = typeof node === "string" && !node.includes(".") ? nameToKey(node) : undefined;
  if (key === undefined) throw refusal("its node is none");
  if (!isTime(issuedMs) || !isTime(expiresMs)) throw refusal("its times are none");
  if (typeof signature !== "string") throw refusal("its signature is none");
  return { name, key, issuedMs, expiresMs, signature };
}

/** True for the name of a server that can have a node bound to it: one of the classic federation, written in its one form. */
export function isBindable(name: string): boolean {
  return isClassicForm(name) && isClassicName(name);
}

function signedBytes({ name, key, issuedMs, expiresMs }: Omit<Binding, "signature">): Uint8Array {
  const times = Buffer.alloc(2 * TIME_BYTES);
  times.writeUIntBE(issuedMs, 0, TIME_BYTES);
  times.writeUIntBE(expiresMs, TIME_BYTES, TIME_BYTES);
  return Buffer.concat([Buffer.from(`${TAG}\0\0`), key, times, Buffer.from(name)]);
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < 2 ** (8 * TIME_BYTES);
}

function refusal(detail: string): FederationError {
  return new FederationError("PINYON_BINDING", detail);
}
