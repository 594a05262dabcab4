import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** The user of basic credentials; the password is the secret. */
export const CREDENTIAL_USER = "pinyon";
const FIELD = "proxy-authorization";

/** What the homeserver must show. */
export class Credential {
  readonly #bearer: Buffer;
  readonly #basic: Buffer;

  constructor(secret: string) {
    this.#bearer = digest(Buffer.from(secret));
    this.#basic = digest(Buffer.from(`${CREDENTIAL_USER}:${secret}`));
  }

  /**
   * True for the right one: `Bearer <secret>`, as Synapse sends it to a worker, or basic credentials (RFC 7617), as everybody sends them to
   * a proxy.
   */
  isRight(value: string): boolean {
    const [scheme, token = "", ...more] = value.split(" ");
    if (more.length > 0) return false;
    switch (scheme!.toLowerCase()) {
      case "bearer":
        // Field values are read as Latin-1, and the secret was written as UTF-8.
        return isEqual(Buffer.from(token, "latin1"), this.#bearer);
      case "basic":
        return isEqual(Buffer.from(token, "base64"), this.#basic);
      default:
        return false;
    }
  }
}

/** Takes the credential out of a request's head, which goes further without it. Undefined where there is none, and where there are several. */
export function takeCredential(request: IncomingMessage): string | undefined {
  // `headers` is made of `rawHeaders` when it is first read, by a count of fields that was taken before: so it is read first.
  const { headers, rawHeaders } = request;
  let shown: string | undefined;
  let count = 0;
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    if (rawHeaders[index]!.length !== FIELD.length || rawHeaders[index]!.toLowerCase() !== FIELD) continue;
    shown = rawHeaders[index + 1]!;
    rawHeaders.splice(index, 2);
    count++;
  }
  if (count > 0) delete headers[FIELD];
  return count === 1 ? shown : undefined;
}

/** Compares digests, so that neither the bytes nor the length of the secret show in the time that it takes. */
function isEqual(shown: Buffer, expected: Buffer): boolean {
  return timingSafeEqual(digest(shown), expected);
}

function digest(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}
