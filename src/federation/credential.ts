import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** The user of basic credentials; the password is the secret. */
export const CREDENTIAL_USER = "pinyon";
const FIELD = "proxy-authorization";

/**
 * Takes the credential out of a request's head, which goes further without it, and says whether it is the right one: `Bearer <secret>`,
 * as Synapse sends it to a worker, or basic credentials (RFC 7617), as everybody sends them to a proxy. Several are refused.
 */
export function takeCredential(request: IncomingMessage, secret: string): boolean {
  // `headers` is made of `rawHeaders` when it is first read, by a count of fields that was taken before: so it is read first.
  const { headers, rawHeaders } = request;
  const values: string[] = [];
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    if (rawHeaders[index]!.toLowerCase() === FIELD) values.push(rawHeaders.splice(index, 2)[1]!);
  }
  delete headers[FIELD];
  if (values.length !== 1) return false;
  const [scheme, token = "", ...more] = values[0]!.split(" ");
  if (more.length > 0) return false;
  switch (scheme!.toLowerCase()) {
    case "bearer":
      // Field values are read as Latin-1, and the secret was written as UTF-8.
      return isEqual(Buffer.from(token, "latin1"), Buffer.from(secret));
    case "basic":
      return isEqual(Buffer.from(token, "base64"), Buffer.from(`${CREDENTIAL_USER}:${secret}`));
    default:
      return false;
  }
}

/** Compares digests, so that neither the bytes nor the length of the secret show in the time that it takes. */
function isEqual(shown: Buffer, expected: Buffer): boolean {
  return timingSafeEqual(digest(shown), digest(expected));
}

function digest(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}
