import type { FederationStats } from "../federation/stats.js";
import { counters, type Metric } from "./metrics.js";

/** The figures of federation. */
export function federationMetrics(read: () => FederationStats): Metric[] {
  return [
    ...counters<FederationStats>("federation", read, {
      outboundRequests: "Requests of the homeserver to other servers.",
      outboundAnswers: "Those that were passed on and answered.",
      inboundRequests: "Requests of other servers to the homeserver.",
      inboundAnswers: "Those that were passed on and answered.",
      classicConnections: "Connections made to classic servers.",
      classicAddressesRefused:
        "Addresses of classic servers to which no connection is made: private ones, and their like.",
      wellKnownLookups: "Names of classic servers looked up by well-known.",
      wellKnownFailures: "Those of which nothing was learned.",
      wellKnownEvictions: "What was learned so and forgotten because there was too much.",
      bindingsPinned: "Classic names whose node was remembered.",
      bindingsRenewed: "Times that a remembered node was seen under its name again.",
      bindingEvictions: "Remembered nodes forgotten, or new ones not remembered, because there were too many.",
      bindingsRefused: "Statements that bind a name to a node and are not good.",
      bindingChanges: "Classic names that say another node than before.",
      bindingClaimsRefused: "Requests of nodes that claim a classic name that is not bound to them.",
      bindingFallbacks: "Requests to a bound name that went by the Internet because its node was not reached.",
      exitFailures: "Times that an exit could not let this node out.",
      exitProbes: "Times that an exit was asked whether it would let this node out.",
      exitProbeFailures: "Times that it would not, or did not answer.",
      exitRequests: "What other nodes asked of this one as an exit.",
      exitAnswers: "What of that was done.",
      exitBytes: "Bytes that passed through this exit, both ways.",
      certificateFailures: "Times that a certificate for classic servers could not be read again.",
      acmeOrders: "Certificates asked of an authority.",
      acmeCertificates: "Those that were got.",
      acmeFailures: "Those that were not.",
      hookFailures: "Times that the command that changes the DNS failed.",
      gatewayConnections: "Connections of classic servers to this gateway.",
      gatewayAnswers: "Those that passed to a node, and have ended.",
      gatewayChecks: "Those in which a front looked whether this gateway is alive.",
      gatewayBytes: "Bytes that passed through this gateway, both ways.",
      invitationsAccepted: "Nodes that this gateway took by invitation.",
      invitationFailures: "Times that a gateway did not take this node's invitation, or could not be asked.",
      ledgerEvictions: "Accounts of what others use of this exit or gateway, forgotten because there were too many.",
      gatewayRequests: "Requests of classic servers whose TLS ends at this gateway.",
      connectionsRefused: "Connections of the homeserver that were not taken because there were too many.",
      tlsFailures: "TLS handshakes of the homeserver that failed.",
      certificateEvictions: "Certificates for tunnels forgotten because there were too many.",
      keyResponsesKept: "Key responses kept after a check.",
      keyResponsesServed: "Key responses served while their origin was away.",
      keyResponsesRefused: "Key responses that are not signed by the key of their name.",
      keyResponseEvictions: "Key responses thrown away for newer ones.",
      keyFileErrors: "Failures to read or write a kept key response.",
      keyAnswersCut: "Answers from what is kept that were cut because they were too long.",
      awayAnswers: "Requests answered at once because their destination is known to be away.",
      destinationEvictions: "Destinations forgotten because there were too many.",
      wakeUpsSent: "Wake-ups sent to other homeservers.",
      wakeUpsAsked: "Wake-ups asked of other nodes.",
      wakeUpsHeld: "Wake-ups that were asked for and held back by their rate.",
      wakeUpsNotOwed: "Times that no wake-up could be promised because too many are owed.",
      wakeUpsGivenUp: "Wake-ups that are no longer looked for: their server never came back.",
      recentPeerEvictions: "Servers forgotten among those to wake because there were too many.",
    }),
    errors("outbound", "Requests of the homeserver answered with an error of this node.", () => read().outboundErrors),
    errors("exit", "What other nodes asked of this exit and was refused, or broke off.", () => read().exitErrors),
    errors("gateway", "Connections to this gateway that were refused, or broke off.", () => read().gatewayErrors),
    errors("inbound", "Requests of other servers answered with an error of this node.", () => read().inboundErrors),
  ];
}

function errors(direction: string, help: string, read: () => Readonly<Record<string, number>>): Metric {
  const name = `pinyon_federation_${direction}_errors_total`;
  return { name, kind: "counter", help, label: "code", read: () => Object.entries(read()) };
}
