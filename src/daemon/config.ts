import { z } from "zod";
import type { AcmeRules } from "../federation/certificates/authority.js";
import { parseClassicName } from "../federation/classic/server-name.js";
import { EXIT_KEYS_MAX } from "../federation/exit/config.js";
import type { ExitRules } from "../federation/exit/exit.js";
import type { GatewayRules } from "../federation/gateway/gateway.js";
import { readInvitation } from "../federation/gateway/invitation.js";
import { plainAddress } from "../federation/gateway/source.js";
import type { Quota } from "../federation/quota.js";
import { type PeerUri, parsePeerUri } from "../link/peer-uri.js";
import { KEY_BYTES, NETWORK_ID_BYTES_MAX } from "../wire/limits.js";
import { isServerName, keyToName, NAME_SUFFIX } from "../wire/name.js";
import { type Endpoint, parseEndpoint, parseHttpUrl } from "./endpoint.js";
import { messageOf } from "./errors.js";
import { type HostPort, parseHostPort } from "./host-port.js";
import { keyHex, parseTarget } from "./target.js";

/** The port that a node listens on where nothing else is set. */
export const DEFAULT_PORT = 18_100;
/** Where metrics are served where nothing else is set. */
export const DEFAULT_METRICS: HostPort = { host: "127.0.0.1", port: 18_190 };
/** Where the homeserver hands over its federation where nothing else is set. */
export const DEFAULT_FEDERATION = "127.0.0.1:18200";
/** The network of a node that names none. */
export const DEFAULT_NETWORK = "pinyon";
/** Characters of a pre-shared secret: what a member of the network learns in a hello must not be enough to guess it. */
const SECRET_CHARS_MIN = 16;
/** Peers in the file: a dialer each. */
const PEERS_MAX = 256;
/** Nodes in a list of the gateway: 100 bytes each. */
const GATEWAY_KEYS_MAX = 1_000;
/** Invitations of gateways: each is shown to its own. */
const GATEWAYS_MAX = 16;
/** One of no gateway. */
const EXAMPLE_INVITATION = "AQ".padEnd(84, "A");
/** Fronts of the gateway. */
const FRONTS_MAX = 64;
/** Exits in the file: each is tried where the ones before cannot. */
const EXITS_MAX = 16;

/** True for what can stand in a header field. A Synapse with workers has such a secret already, often in base64. */
export function isCredential(value: string): boolean {
  return value.length >= SECRET_CHARS_MIN && /^[!-~]+$/.test(value);
}

/** A text of which `isValid` holds; `expected` completes "expected …". */
function text(isValid: (value: string) => boolean, expected: string) {
  return z.string({ error: expected }).refine(isValid, { error: expected });
}

const hostPort = text((value) => parseHostPort(value) !== undefined, "host:port, like 0.0.0.0:18100 or [::]:18100");
const nodeKey = text((value) => parseTarget(value) !== undefined, "a node's name or its key of 64 hex digits");
const networkId = text(
  (value) => value !== "" && Buffer.byteLength(value) <= NETWORK_ID_BYTES_MAX,
  `a text of 1 to ${NETWORK_ID_BYTES_MAX} bytes`,
);
const secret = text(
  (value) => value.length >= SECRET_CHARS_MIN,
  `a text in quotes of at least ${SECRET_CHARS_MIN} characters, like the output of \`openssl rand -base64 32\``,
);
const credential = text(
  isCredential,
  `a text of at least ${SECRET_CHARS_MIN} characters of ASCII without spaces, like the output of \`openssl rand -hex 32\``,
);
const suffix = text(
  (value) => isServerName(keyToName(new Uint8Array(KEY_BYTES), value)),
  "a domain in lower case, like pinyon.alt or gateway.example",
);
const domain = text(
  (value) => parseClassicName(value)?.port === undefined && parseClassicName(value.toLowerCase()) !== undefined,
  "a domain like example.org, or an IP address",
);
const address = text((value) => plainAddress(value) !== undefined, "an IP address");
const invitation = text(
  (value) => readInvitation(value) !== undefined,
  "what `pinyon gateway invite` says at the gateway, 84 characters",
);
const file = text((value) => value.startsWith("/"), "the path of a file, from /");
const count = z
  .int({ error: "a whole number" })
  .min(1, { error: "1 or more" })
  .max(1_000_000, { error: "at most 1000000" });
const httpUrl = text((value) => parseHttpUrl(value) !== undefined, "http://host:port or unix:/path/of/socket");
const directoryUrl = text(
  (value) => URL.canParse(value) && new URL(value).protocol === "https:",
  "a URL like https://acme-v02.api.letsencrypt.org/directory",
);
const endpoint = text((value) => parseEndpoint(value) !== undefined, "host:port or unix:/path/of/socket");
/** Says itself what was expected. */
const peerUri = z
  .string({ error: "a peer URI, like wss://relay.example:18100?key=<64 hex digits>" })
  .superRefine((value, context) => {
    try {
      parsePeerUri(value);
    } catch (error) {
      context.addIssue({ code: "custom", message: messageOf(error).replace(/^expected /, "") });
    }
  });

/** A certificate needs its key, and a key its certificate. */
function requirePair(certificate: string | undefined, key: string | undefined, context: z.RefinementCtx): void {
  const [present, missing] = certificate === undefined ? ["key", "certificate"] : ["certificate", "key"];
  if ((certificate === undefined) === (key === undefined)) return;
  context.addIssue({ code: "custom", path: [present], message: `\`${missing}\` beside it` });
}

/** What a config file may hold, as it stands there. Its JSON schema and docs/config.md are made from here; tests keep them equal. */
export const ConfigSchema = z
  .strictObject({
    listen: z
      .array(hostPort, { error: 'a list of host:port, like ["[::]:18100"]' })
      .min(1, { error: "at least one host:port" })
      .optional()
      .describe(
        "Addresses to take links on, `ws` and `wss` alike; port 0 lets the system choose. `[::]` is every address, of IPv4 as well. Unset: every address, port 18100 or the next free one, and only this machine, link-local and private source addresses are admitted.",
      )
      .meta({ examples: [["[::]:18100"]] }),
    peers: z
      .array(peerUri, { error: "a list of peer URIs" })
      .max(PEERS_MAX, { error: `at most ${PEERS_MAX} peers` })
      .default([])
      .describe(
        "Peers to keep a link to: `wss://host:port/path?key=<hex>`; `key` is the peer's key and may be repeated, `priority`, `maxbackoff` (seconds) and `password` are optional. Plain `ws://` is for trusted networks only.",
      )
      .meta({ examples: [["wss://relay.example:18100?key=<64 hex digits>"]] }),
    network: z
      .strictObject({
        id: networkId
          .default(DEFAULT_NETWORK)
          .describe("Name of the network. Nodes of different networks do not link.")
          .meta({ examples: ["home"] }),
        secret: secret
          .optional()
          .describe("Pre-shared secret of a private network, at least 16 characters. Only nodes that have it link.")
          .meta({ examples: ["the output of `openssl rand -base64 32`"] }),
        roots: z
          .array(nodeKey, { error: "a list of names or keys" })
          .min(1, { error: "at least one name or key" })
          .optional()
          .describe(
            "Names or keys of the only nodes that may be a tree's root, the same on every node of a private network. Unset: any node.",
          )
          .meta({ examples: [["<52 letters and digits>.pinyon.alt"]] }),
      })
      .prefault({})
      .describe("The network that the node belongs to."),
    allow: z
      .array(nodeKey, { error: "a list of names or keys" })
      .optional()
      .describe("Names or keys of the only nodes that may link to this one. Unset: any node of the network.")
      .meta({ examples: [["<52 letters and digits>.pinyon.alt"]] }),
    suffix: suffix
      .default(NAME_SUFFIX)
      .describe(
        "Domain of the node's server name, `<52 letters and digits>.<suffix>`. The name is signed into every event of its homeserver: once one runs, never change it.",
      )
      .meta({ examples: [NAME_SUFFIX] }),
    homeserver: z
      .strictObject({
        url: httpUrl
          .describe(
            "The homeserver's plain HTTP listener with the resource `federation`, on this host: `http://host:port` or `unix:/path/of/socket`.",
          )
          .meta({ examples: ["http://127.0.0.1:8008"] }),
        listen: endpoint
          .default(DEFAULT_FEDERATION)
          .describe(
            "Where the homeserver hands over what it sends to other servers: host:port, or `unix:/path/of/socket`. Loopback, unless you know better.",
          )
          .meta({ examples: [DEFAULT_FEDERATION] }),
        secret: credential
          .describe(
            "What the homeserver must show there: `worker_replication_secret` of Synapse, the password in Dendrite's HTTPS_PROXY.",
          )
          .meta({ examples: ["<64 hex digits>"] }),
        fastRetries: z
          .boolean({ error: "true or false" })
          .default(false)
          .describe(
            "The homeserver asks again within seconds after an error, as Synapse does with what `pinyon homeserver connect` writes. Otherwise it is made to wait for a wake-up from a server that was away for two minutes.",
          ),
      })
      .optional()
      .describe(
        "The homeserver beside the node; `pinyon homeserver connect` writes this. Unset: the node serves none.",
      ),
    classic: z
      .enum(["off", "direct", "exit"], { error: "one of off, direct, exit" })
      .default("off")
      .describe(
        "How the homeserver reaches servers outside of the mesh, those of the classic federation: `direct` over this machine's Internet connection, as the Matrix specification says; `exit` by way of other nodes; `off` not at all.",
      ),
    exits: z
      .array(nodeKey, { error: "a list of names or keys" })
      .max(EXITS_MAX, { error: `at most ${EXITS_MAX} nodes` })
      .default([])
      .describe(
        "Names or keys of nodes that let this one out, for `classic: exit`, in the order of preference. None of them can read or change what passes.",
      )
      .meta({ examples: [["<52 letters and digits>.pinyon.alt"]] }),
    exit: z
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
      ),
    gateway: z
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
        streams: count.default(256).describe("Connections that each node may have open at once."),
        connectsPerMinute: count.default(1_200).describe("Connections to each node that may begin in a minute."),
        gigabytesPerDay: count
          .default(20)
          .describe("What may pass for each node, both ways, in a day of UTC, in 10^9 bytes."),
        sourceStreams: count
          .default(128)
          .describe(
            "Connections that each source may have open at once: an address of IPv4, or a network of 64 bits of IPv6.",
          ),
        sourceConnectsPerMinute: count.default(600).describe("Connections that each source may begin in a minute."),
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
      ),
    gateways: z
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
      .describe("The gateways of this node, and what it shows to classic servers. Unset: they cannot reach it."),
    acme: z
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
      ),
    leaf: z
      .boolean({ error: "true or false" })
      .default(false)
      .describe("Leaf mode, for phones and laptops: the node carries nothing for others and is nobody's parent."),
    discovery: z
      .strictObject({
        enabled: z
          .boolean({ error: "true or false" })
          .default(true)
          .describe("Announce the node on the LAN by multicast DNS and link to the nodes found there."),
      })
      .prefault({})
      .describe("Neighbours on the LAN."),
    metrics: z
      .strictObject({
        listen: hostPort
          .optional()
          .describe(
            "Address of `/metrics` and `/healthz`, which ask for no credential. Unset: 127.0.0.1, port 18190 or the next free one.",
          )
          .meta({ examples: ["127.0.0.1:18190"] }),
      })
      .prefault({})
      .describe("Figures for Prometheus."),
    log: z
      .strictObject({
        level: z
          .enum(["error", "warn", "info", "debug"], { error: "one of error, warn, info, debug" })
          .default("info")
          .describe("The least grave lines that are written."),
      })
      .prefault({})
      .describe("Log lines: JSON, or text where the output is a terminal."),
  })
  .superRefine(({ gateway, gateways, acme }, context) => {
    const needs = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (gateway?.terminate && gateway.certificate === undefined && acme?.hook === undefined) {
      needs(["gateway", "terminate"], "`certificate` and `key` beside it, or `acme.hook`");
    }
    if (gateways !== undefined && !gateways.terminate && gateways.certificate === undefined && acme === undefined) {
      needs(["gateways", "terminate"], "`certificate` and `key` beside it, `terminate: true` or `acme`");
    }
  })
  .describe("Config of a Pinyon node. Every key is optional.");

type ConfigText = z.output<typeof ConfigSchema>;

/** A config file's content, with its texts read. */
export interface Config extends Pick<ConfigText, "leaf" | "discovery" | "log" | "suffix" | "classic"> {
  readonly network: {
    readonly id: string;
    readonly secret: string | undefined;
    /** Keys in hex; undefined: any. */
    readonly roots: ReadonlySet<string> | undefined;
  };
  /** Undefined: all addresses and the default port, for local sources only. */
  readonly listen: readonly HostPort[] | undefined;
  readonly peers: readonly PeerUri[];
  /** Keys in hex; undefined: any. */
  readonly allow: ReadonlySet<string> | undefined;
  /** Keys of the nodes that let this one out. */
  readonly exits: readonly Uint8Array[];
  readonly exit: ExitRules;
  readonly gateway: GatewayConfig | undefined;
  /** Undefined: classic servers cannot reach the node. */
  readonly gateways: GatewaysConfig | undefined;
  /** Undefined: no certificate is got by itself. */
  readonly acme: AcmeRules | undefined;
  readonly metrics: { readonly listen: HostPort | undefined };
  /** Undefined: the node serves no homeserver. */
  readonly homeserver: HomeserverConfig | undefined;
}

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

/** The homeserver beside a node. */
export interface HomeserverConfig {
  /** Its plain HTTP listener. */
  readonly url: Endpoint;
  /** Where it hands over what it sends to others. */
  readonly listen: Endpoint;
  /** What it shows there. */
  readonly secret: string;
  readonly fastRetries: boolean;
}

/** Reads the texts of a config that `ConfigSchema` has found good. */
export function resolveConfig(text: ConfigText): Config {
  const { network, listen, peers, allow, exits, exit, gateway, gateways, acme, metrics, homeserver, ...rest } = text;
  return {
    ...rest,
    network: { id: network.id, secret: network.secret, roots: keySet(network.roots) },
    listen: listen?.map((value) => parseHostPort(value)!),
    peers: peers.map(parsePeerUri),
    allow: keySet(allow),
    exits: exits.map((value) => parseTarget(value)!),
    exit: {
      allow: keySet(exit.allow)!,
      deny: exit.deny.map((value) => value.toLowerCase()),
      quota: quotaOf(exit.streams, exit.connectsPerMinute, exit.gigabytesPerDay),
    },
    gateway: gateway && resolveGateway(gateway),
    gateways: gateways && {
      nodes: keySet(gateways.nodes)!,
      invitations: gateways.invitations,
      terminate: gateways.terminate,
      files: filesOf(gateways),
    },
    acme: acme && { directory: acme.directory, email: acme.email, hook: acme.hook },
    metrics: { listen: metrics.listen === undefined ? undefined : parseHostPort(metrics.listen) },
    homeserver: homeserver && {
      ...homeserver,
      url: parseHttpUrl(homeserver.url)!,
      listen: parseEndpoint(homeserver.listen)!,
    },
  };
}

function resolveGateway(gateway: NonNullable<ConfigText["gateway"]>): GatewayConfig {
  const { domain, listen, allow, deny, open, fronts } = gateway;
  return {
    domain: domain.toLowerCase(),
    listen: listen.map((value) => parseHostPort(value)!),
    allow: keySet(allow)!,
    deny: keySet(deny)!,
    open,
    quota: quotaOf(gateway.streams, gateway.connectsPerMinute, gateway.gigabytesPerDay),
    sourceQuota: quotaOf(gateway.sourceStreams, gateway.sourceConnectsPerMinute, gateway.sourceGigabytesPerDay),
    fronts: new Set(fronts.map((value) => plainAddress(value)!)),
    terminate: gateway.terminate,
    files: filesOf(gateway),
  };
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

/** Names and keys, as keys in hex. */
function keySet(nodes: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return nodes && new Set(nodes.map((value) => keyHex(parseTarget(value)!)));
}

/** The config of a node that has no file. */
export function defaultConfig(): Config {
  return resolveConfig(ConfigSchema.parse({}));
}

/** The JSON schema of the file, for editors: docs/config-schema.json. */
export function configJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(ConfigSchema, { io: "input" }), title: "Pinyon config" };
}

/** One key of the file, for documentation and the comments of a new file. */
export interface ConfigKey {
  /** Dotted: `network.id`. */
  readonly key: string;
  readonly type: string;
  /** As YAML; "unset" where the key has no default. */
  readonly default: string;
  readonly description: string;
  /** A value that may stand there. */
  readonly example: unknown;
}

interface SchemaNode {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly items?: SchemaNode;
  readonly default?: unknown;
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly properties?: Record<string, SchemaNode>;
}

/** Every key that holds a value, in the order of the schema. */
export function configKeys(node: SchemaNode = configJsonSchema(), prefix = ""): ConfigKey[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const key = prefix + name;
    if (child.properties !== undefined) return configKeys(child, `${key}.`);
    const type = child.enum?.join(" | ") ?? (child.items === undefined ? child.type : `list of ${child.items.type}s`);
    return {
      key,
      type: type ?? "any",
      default: child.default === undefined ? "unset" : JSON.stringify(child.default),
      description: child.description ?? "",
      example: child.examples?.[0] ?? child.default,
    };
  });
}
