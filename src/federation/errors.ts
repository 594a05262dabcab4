/** Errors of federation: a stable code, the HTTP status that it is answered with, and what it says to a person. */
const ERRORS = {
  PINYON_AUTHORIZATION: [
    401,
    "the request has no X-Matrix authorization, or one that cannot be read or names two servers",
  ],
  PINYON_ORIGIN: [403, "the request says that it comes from another server than the one that sent it"],
  PINYON_DESTINATION: [400, "the request is meant for another server than the one that it was sent to"],
  PINYON_CREDENTIAL: [
    407,
    "the homeserver showed no credential, or a wrong one: see `homeserver.secret` of the node's config",
  ],
  PINYON_CONNECT_TARGET: [403, "a tunnel leads to a Matrix server, at a port where one may be, and nowhere else"],
  PINYON_CLASSIC_NAME: [
    502,
    "the destination is no server of the overlay, and this node asks no others: see `classic` of the node's config",
  ],
  PINYON_CLASSIC_LOOKUP: [502, "DNS does not say where the classic server is"],
  PINYON_CLASSIC_ADDRESS: [502, "the classic server's name leads to an address that is no host of the Internet"],
  PINYON_CLASSIC_CONNECT: [502, "no connection to the classic server can be made"],
  PINYON_CLASSIC_TLS: [502, "the classic server does not prove its name by a certificate that is believed"],
  PINYON_BINDING: [502, "a statement that binds a server's name to a node is not good"],
  PINYON_BINDING_CHANGED: [
    502,
    "the server's name is bound to another node than before: nothing passes until `pinyon binding` has been told what to believe",
  ],
  PINYON_EXIT_FORBIDDEN: [502, "the node that was asked lets this one out to no server, or not to this one"],
  PINYON_EXIT_QUOTA: [502, "this node has used up what the exit lets it"],
  PINYON_EXIT_HELLO: [502, "a stream through an exit does not begin with TLS for the server that it leads to"],
  PINYON_GATEWAY_HELLO: [400, "a connection to the gateway does not begin with TLS"],
  PINYON_GATEWAY_NAME: [404, "TLS asks for no server that this gateway brings others to"],
  PINYON_GATEWAY_QUOTA: [503, "the node, or the address that asks for it, has used up what the gateway lets it"],
  PINYON_GATEWAY_PROXY: [
    400,
    "a front of the gateway began a connection without a PROXY header, or with a broken one, or one that is no front sent one",
  ],
  PINYON_GATEWAY_INVITATION: [403, "the gateway does not take the invitation that this node shows it"],
  PINYON_GATEWAY_FORBIDDEN: [403, "the node takes nobody from this gateway"],
  PINYON_GATEWAY_TERMINATE: [403, "the node has no certificate, and has gateways end TLS in its place"],
  PINYON_CERTIFICATE: [503, "there is no certificate for the name yet"],
  PINYON_PATH: [404, "this is no path of the federation API"],
  PINYON_HEADERS: [400, "the request's head is ambiguous, malformed or too long"],
  PINYON_UNREACHABLE: [502, "the destination cannot be reached at present"],
  PINYON_NO_HOMESERVER: [502, "the node that was reached serves no homeserver"],
  PINYON_HOMESERVER: [502, "the homeserver beside the node that was reached is down"],
  PINYON_HOMESERVER_ANSWER: [502, "the homeserver that was reached gave up the request, or answered what is not HTTP"],
  PINYON_KEY_RESPONSE: [502, "the destination's key response is not signed by the key of its name"],
  PINYON_TOO_LONG: [502, "a body about keys is longer than it may be"],
  PINYON_TIMEOUT: [504, "no answer came in time"],
  PINYON_BUSY: [503, "the node has no room for another request"],
  PINYON_BODY_BROKEN: [502, "a request or an answer was given up before its end"],
  PINYON_INTERNAL: [500, "a fault of Pinyon itself: please report it with the log"],
} as const satisfies Record<string, readonly [status: number, text: string]>;

export type FederationCode = keyof typeof ERRORS;
export const FEDERATION_CODES = Object.keys(ERRORS) as readonly FederationCode[];

/** Why a request is not passed on. It is answered as `{"errcode": code, "error": message}`. */
export class FederationError extends Error {
  override readonly name = "FederationError";
  readonly status: number;

  /** `detail` says what was seen and expected in this case; it goes to the asking server too. */
  constructor(
    readonly code: FederationCode,
    detail?: string,
    options?: ErrorOptions & { readonly status?: number },
  ) {
    const [status, text] = ERRORS[code];
    super(detail === undefined ? text : `${text} (${detail})`, options);
    this.status = options?.status ?? status;
  }
}

/** What each code means, for the documentation. */
export const FEDERATION_TEXT: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(ERRORS).map(([code, [, text]]) => [code, text]),
);

/** The error to answer with, whatever was thrown. Codes of the network below that mean the same keep their name. */
export function federationErrorOf(error: unknown): FederationError {
  if (error instanceof FederationError) return error;
  const { code, message } =
    error instanceof Error ? (error as Error & { code?: unknown }) : { code: "", message: String(error) };
  switch (code) {
    case "PINYON_BUSY":
    case "PINYON_BODY_BROKEN":
      return new FederationError(code, undefined, { cause: error });
    case "PINYON_UNREACHABLE":
    case "PINYON_HANDSHAKE_TIMEOUT":
    case "PINYON_SESSION_ENDED":
    case "PINYON_STOPPED":
      return new FederationError("PINYON_UNREACHABLE", message, { cause: error });
    case "PINYON_SELF":
      return new FederationError("PINYON_DESTINATION", message, { cause: error });
    default:
      return new FederationError("PINYON_INTERNAL", message, { cause: error });
  }
}
