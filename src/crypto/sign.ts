/**
 * What each signature of the overlay is for. The tag stands in front of the signed bytes, so that a signature given for one purpose
 * is worth nothing for another. Texts are never used twice.
 */
export const SignTag = {
  /** A node's proof in the link handshake that it holds its key. */
  HELLO_PROOF: "pinyon/1 hello proof",
  /** One end's half of the link certificate. */
  LINK_HALF: "pinyon/1 link half",
  /** A child's word that it hangs below its parent in a tree. */
  TREE_EDGE: "pinyon/1 tree edge",
  /** A root's sign of life. */
  HEARTBEAT: "pinyon/1 heartbeat",
  /** A child's word that its link to the root is gone. */
  ROOT_LOST: "pinyon/1 root lost",
  /** A node's coordinates in every tree. */
  LOCATOR: "pinyon/1 locator",
  /** The target's answer to a probe. */
  PROBE_REPLY: "pinyon/1 probe reply",
} as const;
export type SignTag = (typeof SignTag)[keyof typeof SignTag];

/**
 * The bytes that a signature of the overlay covers: `tag || 0x00 || networkId || 0x00 || fields`.
 *
 * Every field but the last must have a fixed size under its tag: then two different messages never give the same bytes. `networkId`
 * is UTF-8 without a zero byte, else RangeError. All tags start with `p`: a node's key may also sign Matrix's canonical JSON, which
 * starts with `{`, a DER certificate (0x30) or a TLS handshake (0x20), and none of these can be taken for a message of the overlay.
 */
export function signedMessage(tag: SignTag, networkId: Uint8Array, ...fields: Uint8Array[]): Uint8Array {
  if (networkId.includes(0)) throw new RangeError("a network id must not contain a zero byte");
  const fieldsBytes = fields.reduce((sum, field) => sum + field.length, 0);
  const message = new Uint8Array(tag.length + 1 + networkId.length + 1 + fieldsBytes);
  for (let i = 0; i < tag.length; i++) message[i] = tag.charCodeAt(i);
  message.set(networkId, tag.length + 1);
  let offset = tag.length + 1 + networkId.length + 1;
  for (const field of fields) {
    message.set(field, offset);
    offset += field.length;
  }
  return message;
}
