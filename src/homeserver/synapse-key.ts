import { unpaddedBase64 } from "../federation/signing.js";

/** Synapse's key file has a line for each key: `ed25519 <version> <unpadded base64 of the seed>`; the first one signs. */
const LINE = /^ed25519 +(\w+) +([A-Za-z0-9+/]{43})=?$/;

export function signingKeyLine(seed: Uint8Array): string {
  return `ed25519 pinyon ${unpaddedBase64(seed)}\n`;
}

/** The seed of the key that signs; undefined where the text has another form. */
export function signingSeed(text: string): Uint8Array | undefined {
  const first = text.split("\n").find((line) => line.trim() !== "");
  const encoded = LINE.exec(first?.trim() ?? "")?.[2];
  return encoded === undefined ? undefined : new Uint8Array(Buffer.from(encoded, "base64"));
}
