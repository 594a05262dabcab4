import { z } from "zod";
import type { AcmeRules } from "../federation/certificates/authority.js";
import { EXIT_KEYS_MAX } from "../federation/exit/config.js";
import type { ExitRules } from "../federation/exit/exit.js";
import type { GatewayRules } from "../federation/gateway/gateway.js";
import { readInvitation } from "../federation/gateway/invitation.js";
import { plainAddress } from "../federation/gateway/source.js";
import type { Quota } from "../federation/quota.js";
import { count, domain, file, hostPort, keySet, nodeKey, text } from "./config-values.js";
import { parseHostPort } from "./host-port.js";

/*
 * The parts of a config file that join the mesh to the classic federation: `exit`, `gateway`, `gateways` and `acme`.
 */

/** Nodes in a list of the gateway: 100 bytes each. */
const GATEWAY_KEYS_MAX = 1_000;
/** Invitations of gateways: each is shown to its own. */
const GATEWAYS_MAX = 16;
/** One of no gateway. */
const EXAMPLE_INVITATION = "AQ".padEnd(84, "A");
/** Fronts of the gateway. */
const FRONTS_MAX = 64;

const address = text((value) => plainAddress(value) !== undefined, "an IP address");
const invitation = text(
  (value) => readInvitation(value) !== undefined,
  "what `pinyon gateway invite` says at the gateway, 84 characters",
);
const directoryUrl = text(
  (value) => URL.canParse(value) && new URL(value).protocol === "https:",
  "a URL like https://acme-v02.api.letsencrypt.org/directory",
);

/** A certificate needs its key, and a key its certificate. */
function requirePair(certificate: string | undefined, key: string | undefined, context: z.RefinementCtx): void {
  const [present, missing] = certificate === undefined ? ["key", "certificate"] : ["certificate", "key"];
  if ((certificate === undefined) === (key === undefined)) return;
  context.addIssue({ code: "custom", path: [present], message: `\`${missing}\` beside it` });
}

/** Whom the node lets out. */
export const ExitSchema = z
  .strictObject({
    allow: z
      .array(nodeKey, { error: "a list of names or keys" })
      .max(EXIT_KEYS_MAX, { error: `at most ${EXIT_KEYS_MAX} nodes` })
      .default([])
      .describe("Names or keys of the nodes that may use this one as their exit. None: it is no exit.")
      .meta({ examples: [["<52 letters and digits>.pinyon.alt"]] }),
    deny: z
      .array(domain, { error: "a list of domains" })
      .default([])
      .describe("Domains to whose hosts, and those below, nobody is let out.")
      .meta({ examples: [["example.org"]] }),
    streams: count.default(64).describe("Connections that each of them may have open at once."),
    connectsPerMinute: count.default(240).describe("Connections that each of them may begin in a minute."),
    gigabytesPerDay: count
      .default(20)
      .describe("What may pass for each of them, both ways, in a day of UTC, in 10^9 bytes."),
  })
  .prefault({})
  .describe(
    "The way out that this node is to others: they reach classic servers from this machine, by its Internet address.",
  );

/** To whom the node brings classic servers. */
export const GatewaySchema = z
  .strictObject({
    domain: domain
      .describe("The domain below which the nodes have their names: `suffix` of their config.")
      .meta({ examples: ["gateway.example"] }),
    listen: z
      .array(hostPort, { error: 'a list of host:port, like ["[::]:443", "[::]:8448"]' })
      .min(1, { error: "at least one host:port" })
      .default(["[::]:443", "[::]:8448"])
      .describe("Addresses to take classic servers on.")
      .meta({ examples: [["[::]:443", "[::]:8448"]] }),
    allow: z
      .array(nodeKey, { error: "a list of names or keys" })
      .max(GATEWAY_KEYS_MAX, { error: `at most ${GATEWAY_KEYS_MAX} nodes` })
      .default([])
      .describe("Names or keys of the nodes that classic servers are brought to.")
      .meta({ examples: [["<52 letters and digits>.gateway.example"]] }),
    deny: z
      .array(nodeKey, { error: "a list of names or keys" })
      .max(GATEWAY_KEYS_MAX, { error: `at most ${GATEWAY_KEYS_MAX} nodes` })
      .default([])
      .describe("Names or keys of nodes that they are not brought to, whatever else names them.")
      .meta({ examples: [["<52 letters and digits>.gateway.example"]] }),
    open: z
      .int({ error: "a whole number" })
      .min(0, { error: "0 or more" })
      .max(1_000, { error: "at most 1000" })
      .default(0)
      .describe(
        "Nodes that nothing names are served too, and all of them together may use as much as so many of those that are named: a new key is no way to more. 0: they are not served.",
      ),
    streams: count
      .default(96)
      .describe("Connections that each node may have open at once. A session with one has room for 100."),
    connectsPerMinute: count.default(1_200).describe("Connections to each node that may begin in a minute."),
    gigabytesPerDay: count
      .default(20)
      .describe("What may pass for each node, both ways, in a day of UTC, in 10^9 bytes."),
    sourceStreams: count
      .default(128)
      .describe(
        "Connections that each source may have open at once: an address of IPv4, or a network of 64 bits of IPv6.",
      ),
    sourceConnectsPerMinute: count.default(300).describe("Connections that each source may begin in a minute."),
    sourceGigabytesPerDay: count
      .default(10)
      .describe("What may pass for each source, both ways, in a day of UTC, in 10^9 bytes."),
    fronts: z
      .array(address, { error: "a list of IP addresses" })
      .max(FRONTS_MAX, { error: `at most ${FRONTS_MAX} addresses` })
      .default([])
      .describe(
        "Addresses of fronts, such as nginx or HAProxy, that say in the PROXY protocol, version 1 or 2, whom each connection is for. It is taken from them alone, and from them nothing else.",
      )
      .meta({ examples: [["192.0.2.7"]] }),
    terminate: z
      .boolean({ error: "true or false" })
      .default(false)
      .describe(
        "End TLS here for nodes that have no certificate and say `gateways.terminate`, with one for `*.<domain>`: this node can then read and forge what passes to them. Others keep theirs.",
      ),
    certificate: file
      .optional()
      .describe(
        "For `terminate`: the file of the certificate for `*.<domain>`, with those of its authorities, in PEM. Unset: it is got by `acme`, which needs a `hook` for it.",
      )
      .meta({ examples: ["/etc/pinyon/wildcard.pem"] }),
    key: file
      .optional()
      .describe("File of that certificate's key, in PEM.")
      .meta({ examples: ["/etc/pinyon/wildcard-key.pem"] }),
  })
  .superRefine(({ certificate, key }, context) => requirePair(certificate, key, context))
  .optional()
  .describe(
    "The way in that this node is to others: it brings servers of the classic federation to them. Unset: none.",
  );

/** Who brings them to the node. */
export const GatewaysSchema = z
  .strictObject({
    nodes: z
      .array(nodeKey, { error: "a list of names or keys" })
      .min(1, { error: "at least one name or key" })
      .describe("Names or keys of the gateways that may bring classic servers to this node.")
      .meta({ examples: [["<52 letters and digits>.pinyon.alt"]] }),
    invitations: z
      .array(invitation, { error: "a list of invitations" })
      .max(GATEWAYS_MAX, { error: `at most ${GATEWAYS_MAX} invitations` })
      .default([])
      .describe("What `pinyon gateway invite` said at those of them that do not list this node.")
      .meta({ examples: [[EXAMPLE_INVITATION]] }),
    certificate: file
      .optional()
      .describe(
        "File of the certificate for the node's name, with those of its authorities, in PEM. Unset: it is got by `acme`.",
      )
      .meta({ examples: ["/etc/pinyon/fullchain.pem"] }),
    key: file
      .optional()
      .describe("File of the certificate's key, in PEM.")
      .meta({ examples: ["/etc/pinyon/privkey.pem"] }),
    terminate: z
      .boolean({ error: "true or false" })
      .default(false)
      .describe(
        "The node needs no certificate: its gateways end TLS with theirs. Whoever runs one can read what classic servers and the homeserver say to each other, and forge it.",
      ),
  })
  .superRefine(({ terminate, certificate, key }, context) => {
    requirePair(certificate, key, context);
    if (terminate && certificate !== undefined) {
      context.addIssue({ code: "custom", path: ["terminate"], message: "no `certificate` beside it" });
    }
  })
  .optional()
  .describe("The gateways of this node, and what it shows to classic servers. Unset: they cannot reach it.");

/** How certificates are got. */
export const AcmeSchema = z
  .strictObject({
    directory: directoryUrl
      .describe("The directory of the certificate authority. Whoever sets it agrees to the authority's terms.")
      .meta({ examples: ["https://acme-v02.api.letsencrypt.org/directory"] }),
    email: text((value) => /^[!-~]+@[!-~]+$/.test(value), "an address like admin@example.org")
      .optional()
      .describe("Where the authority may write to.")
      .meta({ examples: ["admin@example.org"] }),
    hook: file
      .optional()
      .describe(
        "A command that changes the DNS, for `gateway.terminate`: called as `<hook> present|cleanup _acme-challenge.<domain> <value>`, it makes or takes away a TXT record, and ends with 0 when the name servers show that.",
      )
      .meta({ examples: ["/etc/pinyon/dns-hook"] }),
  })
  .optional()
  .describe(
    "How the node gets its own certificate by ACME, where `gateways` names no file, and that of `gateway.terminate`. Unset: it does not.",
  );

/** Files in PEM. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** The gateway that a node is. */
export interface GatewayConfig extends Omit<GatewayRules, "terminate"> {
  /** It ends TLS for nodes that let it. */
  readonly terminate: boolean;
  /** With which certificate; undefined: one that is got by ACME. */
  readonly files: CertificateFiles | undefined;
}

/** How classic servers reach a node. */
export interface GatewaysConfig {
  /** Keys in hex. */
  readonly nodes: ReadonlySet<string>;
  readonly invitations: readonly string[];
  /** They end TLS in its place. */
  readonly terminate: boolean;
  /** Undefined: the certificate is got by ACME, if they do not. */
  readonly files: CertificateFiles | undefined;
}

/** Reads the texts of what its schema has found good. */
export function resolveExit({
  allow,
  deny,
  streams,
  connectsPerMinute,
  gigabytesPerDay,
}: z.output<typeof ExitSchema>): ExitRules {
  return {
    allow: keySet(allow),
    deny: deny.map((value) => value.toLowerCase()),
    quota: quotaOf(streams, connectsPerMinute, gigabytesPerDay),
  };
}

/** Reads the texts of what its schema has found good. */
export function resolveGateway(gateway: NonNullable<z.output<typeof GatewaySchema>>): GatewayConfig {
  const { domain, listen, allow, deny, open, fronts } = gateway;
  return {
    domain: domain.toLowerCase(),
    listen: listen.map((value) => parseHostPort(value)!),
    allow: keySet(allow),
    deny: keySet(deny),
    open,
    quota: quotaOf(gateway.streams, gateway.connectsPerMinute, gateway.gigabytesPerDay),
    sourceQuota: quotaOf(gateway.sourceStreams, gateway.sourceConnectsPerMinute, gateway.sourceGigabytesPerDay),
    fronts: new Set(fronts.map((value) => plainAddress(value)!)),
    terminate: gateway.terminate,
    files: filesOf(gateway),
  };
}

/** Reads the texts of what its schema has found good. */
export function resolveGateways(gateways: NonNullable<z.output<typeof GatewaysSchema>>): GatewaysConfig {
  const { nodes, invitations, terminate } = gateways;
  return { nodes: keySet(nodes), invitations, terminate, files: filesOf(gateways) };
}

/** Reads the texts of what its schema has found good. */
export function resolveAcme({ directory, email, hook }: NonNullable<z.output<typeof AcmeSchema>>): AcmeRules {
  return { directory, email, hook };
}

function quotaOf(streams: number, connectsPerMinute: number, gigabytesPerDay: number): Quota {
  return { streams, connectsPerMinute, bytesPerDay: gigabytesPerDay * 1e9 };
}

function filesOf({
  certificate,
  key,
}: {
  certificate?: string | undefined;
  key?: string | undefined;
}): CertificateFiles | undefined {
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}
