import { isClassicName } from "../classic/server-name.js";
import { FederationError } from "../errors.js";
import { classify, type PathKind } from "../paths.js";
import { readXMatrix, requireParties, type XMatrix } from "../x-matrix.js";

/** Says, with the value 1, that the request is a classic server's, whose TLS ended at the gateway that asks. */
export const CLASSIC_HEADER = "pinyon-classic";

/** What a classic server asks by way of a gateway. */
export interface ClassicRequest {
  readonly kind: PathKind;
  readonly signatures: readonly XMatrix[];
}

/**
 * Judges a request that a classic server makes of the server called `name`; `signed` are the values that its X-Matrix stands in. A gateway
 * may bring every origin but those of the overlay, which come by their own sessions: nobody else can prove to be them. Throws a
 * `FederationError`.
 */
export function checkClassic(name: string, method: string, path: string, signed: readonly string[]): ClassicRequest {
  const { kind, isSigned } = classify(method, path);
  if (kind === "wake") throw new FederationError("PINYON_PATH");
  const signatures = isSigned || signed.length > 0 ? readXMatrix(signed) : [];
  const origin = signatures[0]?.origin ?? "";
  if (signatures.length > 0 && !isClassicName(origin)) {
    throw new FederationError("PINYON_ORIGIN", `${origin} does not come by a gateway`);
  }
  requireParties(signatures, origin, name);
  return { kind, signatures };
}
