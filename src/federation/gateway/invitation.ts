import { createHmac, timingSafeEqual } from "node:crypto";

/** A promise of a gateway to serve nodes that it does not know yet. */
export interface Invitation {
  /** The gateway's key. */
  readonly gateway: Uint8Array;
  /** In hex. */
  readonly id: string;
  /** Until when it is taken, in s since 1970. */
  readonly untilS: number;
  /** How many nodes may use it. */
  readonly uses: number;
}

/*
 * The text of one: base64 (RFC 4648, section 5) of version 1, gateway 32, id 8, until 4, uses 2 and tag 16 bytes, 63 in all. The tag is an
 * HMAC under a key of the gateway's: nobody else has to judge one. The gateway's own key is in it, so that a node knows whom to show it.
 */
const VERSION = 1;
const BODY_BYTES = 47;
const TAG_BYTES = 16;
const TEXT_CHARS = ((BODY_BYTES + TAG_BYTES) * 4) / 3;
export const INVITATION_ID_BYTES = 8;
export const INVITATION_USES_MAX = 0xffff;
const LABEL = "pinyon gateway invitation";

/** What an invitation says, for whoever has it: not that it is good. Undefined where `text` is none. */
export function readInvitation(text: string): Invitation | undefined {
  if (text.length !== TEXT_CHARS || !/^[\w-]+$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64url");
  if (bytes[0] !== VERSION) return undefined;
  return {
    gateway: new Uint8Array(bytes.subarray(1, 33)),
    id: bytes.toString("hex", 33, 41),
    untilS: bytes.readUInt32BE(41),
    uses: bytes.readUInt16BE(45),
  };
}

/** The text of an invitation, by the seed of its gateway's key. */
export function writeInvitation(seed: Uint8Array, { gateway, id, untilS, uses }: Invitation): string {
  const body = Buffer.alloc(BODY_BYTES);
  body[0] = VERSION;
  body.set(gateway, 1);
  body.write(id, 33, "hex");
  body.writeUInt32BE(untilS, 41);
  body.writeUInt16BE(uses, 45);
  return Buffer.concat([body, tagOf(seed, body)]).toString("base64url");
}

/** True where the gateway with that seed wrote it. */
export function isOwnInvitation(seed: Uint8Array, text: string): boolean {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length !== BODY_BYTES + TAG_BYTES) return false;
  return timingSafeEqual(bytes.subarray(BODY_BYTES), tagOf(seed, bytes.subarray(0, BODY_BYTES)));
}

/** The seed makes other keys too: the one for this comes of it by a label of its own. */
function tagOf(seed: Uint8Array, body: Uint8Array): Buffer {
  const key = createHmac("sha512", seed).update(LABEL).digest();
  return createHmac("sha512", key).update(body).digest().subarray(0, TAG_BYTES);
}
