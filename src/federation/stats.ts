import { FEDERATION_CODES, type FederationCode } from "./errors.js";

/** Counters of federation. */
export interface FederationStats {
  /** Requests of the homeserver to others, and those that another server answered. */
  outboundRequests: number;
  outboundAnswers: number;
  /** Requests of others to the homeserver, and those that it answered. */
  inboundRequests: number;
  inboundAnswers: number;
  /** Requests answered with an error of this node, each way. */
  readonly outboundErrors: Record<FederationCode, number>;
  readonly inboundErrors: Record<FederationCode, number>;
  /** Connections made to classic servers, and addresses to which none was, for what they are. */
  classicConnections: number;
  classicAddressesRefused: number;
  /** Names of classic servers looked up by well-known, those of which nothing was learned, and those forgotten for others. */
  wellKnownLookups: number;
  wellKnownFailures: number;
  wellKnownEvictions: number;
  /**
   * Classic names bound to a node: those remembered, seen again, and forgotten for others; statements that are not good; names that now say
   * another node; requests of nodes that claim a name that is not bound to them; requests by the Internet because the node was not reached.
   */
  bindingsPinned: number;
  bindingsRenewed: number;
  bindingEvictions: number;
  bindingsRefused: number;
  bindingChanges: number;
  bindingClaimsRefused: number;
  bindingFallbacks: number;
  /** Exits that could not let this node out, each time that one was tried. */
  exitFailures: number;
  /** Exits asked whether they would, and those that would not, or did not answer. */
  exitProbes: number;
  exitProbeFailures: number;
  /** What other nodes asked of this one as an exit, and that was done; the bytes that passed; and what was refused or broke off. */
  exitRequests: number;
  exitAnswers: number;
  exitBytes: number;
  readonly exitErrors: Record<FederationCode, number>;
  /** Connections of classic servers to this gateway, those that passed to a node and ended, and those refused. */
  gatewayConnections: number;
  gatewayAnswers: number;
  /** Those in which a front looked whether this gateway is alive. */
  gatewayChecks: number;
  /** Bytes that passed through this gateway. */
  gatewayBytes: number;
  /** Requests of classic servers whose TLS ends at this gateway. */
  gatewayRequests: number;
  /** Times that a certificate that classic servers are shown could not be read again. */
  certificateFailures: number;
  /** Certificates asked of an authority, those got and those not; and times that the command that changes the DNS failed. */
  acmeOrders: number;
  acmeCertificates: number;
  acmeFailures: number;
  hookFailures: number;
  readonly gatewayErrors: Record<FederationCode, number>;
  /** Nodes that this gateway took by invitation, and times that a gateway did not take this node's. */
  invitationsAccepted: number;
  invitationFailures: number;
  /** Accounts of what others use of an exit or gateway that were forgotten because there were too many. */
  ledgerEvictions: number;
  /** Connections of the homeserver that were not taken because there were too many. */
  connectionsRefused: number;
  /** TLS handshakes of the homeserver that failed. */
  tlsFailures: number;
  /** Certificates for tunnels forgotten because there were too many. */
  certificateEvictions: number;
  /** Key responses: kept after a check, served while their origin is away, refused, and thrown away for newer ones. */
  keyResponsesKept: number;
  keyResponsesServed: number;
  keyResponsesRefused: number;
  keyResponseEvictions: number;
  /** Failures to read or write a kept key response, and answers cut to `KEY_BODY_BYTES_MAX`. */
  keyFileErrors: number;
  keyAnswersCut: number;
  /** Requests answered at once because their destination is known to be away. */
  awayAnswers: number;
  /** Destinations forgotten because there were too many. */
  destinationEvictions: number;
  /** Wake-ups: sent to others' homeservers, asked of other nodes, and held back by their rate. */
  wakeUpsSent: number;
  wakeUpsAsked: number;
  wakeUpsHeld: number;
  /** Wake-ups that no server was told to owe because too many do, and those given up because the server did not return. */
  wakeUpsNotOwed: number;
  wakeUpsGivenUp: number;
  /** Recent peers forgotten because there were too many. */
  recentPeerEvictions: number;
}

export function newFederationStats(): FederationStats {
  const none = () => Object.fromEntries(FEDERATION_CODES.map((code) => [code, 0])) as Record<FederationCode, number>;
  return {
    outboundRequests: 0,
    outboundAnswers: 0,
    inboundRequests: 0,
    inboundAnswers: 0,
    outboundErrors: none(),
    inboundErrors: none(),
    classicConnections: 0,
    classicAddressesRefused: 0,
    wellKnownLookups: 0,
    wellKnownFailures: 0,
    wellKnownEvictions: 0,
    bindingsPinned: 0,
    bindingsRenewed: 0,
    bindingEvictions: 0,
    bindingsRefused: 0,
    bindingChanges: 0,
    bindingClaimsRefused: 0,
    bindingFallbacks: 0,
    exitFailures: 0,
    exitProbes: 0,
    exitProbeFailures: 0,
    exitRequests: 0,
    exitAnswers: 0,
    exitBytes: 0,
    exitErrors: none(),
    gatewayConnections: 0,
    gatewayAnswers: 0,
    gatewayChecks: 0,
    gatewayBytes: 0,
    invitationsAccepted: 0,
    invitationFailures: 0,
    ledgerEvictions: 0,
    gatewayRequests: 0,
    certificateFailures: 0,
    acmeOrders: 0,
    acmeCertificates: 0,
    acmeFailures: 0,
    hookFailures: 0,
    gatewayErrors: none(),
    connectionsRefused: 0,
    tlsFailures: 0,
    certificateEvictions: 0,
    keyResponsesKept: 0,
    keyResponsesServed: 0,
    keyResponsesRefused: 0,
    keyResponseEvictions: 0,
    keyFileErrors: 0,
    keyAnswersCut: 0,
    awayAnswers: 0,
    destinationEvictions: 0,
    wakeUpsSent: 0,
    wakeUpsAsked: 0,
    wakeUpsHeld: 0,
    wakeUpsNotOwed: 0,
    wakeUpsGivenUp: 0,
    recentPeerEvictions: 0,
  };
}
