import { z } from "zod";
import { isBindable } from "../federation/binding/statement.js";
import type { AcmeRules } from "../federation/certificates/authority.js";
import type { ExitRules } from "../federation/exit/exit.js";
import { type PeerUri, parsePeerUri } from "../link/peer-uri.js";
import { KEY_BYTES, NETWORK_ID_BYTES_MAX } from "../wire/limits.js";
import { isServerName, keyToName, NAME_SUFFIX } from "../wire/name.js";
import {
  AcmeSchema,
  ExitSchema,
  type GatewayConfig,
  GatewaySchema,
  type GatewaysConfig,
  GatewaysSchema,
  resolveAcme,
  resolveExit,
  resolveGateway,
  resolveGateways,
} from "./classic-config.js";
import { hostPort, keySet, nodeKey, text } from "./config-values.js";
import { type Endpoint, parseEndpoint, parseHttpUrl } from "./endpoint.js";
import { messageOf } from "./errors.js";
import { type HostPort, parseHostPort } from "./host-port.js";
import { parseTarget } from "./target.js";

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
/** Exits in the file: each is tried where the ones before cannot. */
const EXITS_MAX = 16;

/** True for what can stand in a header field. A Synapse with workers has such a secret already, often in base64. */
export function isCredential(value: string): boolean {
  return value.length >= SECRET_CHARS_MIN && /^[!-~]+$/.test(value);
}

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
const httpUrl = text((value) => parseHttpUrl(value) !== undefined, "http://host:port or unix:/path/of/socket");
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
        name: text(isBindable, "the name of a server of the DNS in lower case, like example.org")
          .optional()
          .describe(
            "The homeserver's own name, where it is one of the classic federation and not the node's; `pinyon binding show` gives what binds it to the node. Unset: the node's.",
          )
          .meta({ examples: ["example.org"] }),
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
    exit: ExitSchema,
    gateway: GatewaySchema,
    gateways: GatewaysSchema,
    acme: AcmeSchema,
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

/** The homeserver beside a node. */
export interface HomeserverConfig {
  /** Its name of the classic federation; undefined: it has the node's. */
  readonly name: string | undefined;
  /** Its plain HTTP listener. */
  readonly url: Endpoint;
  /** Where it hands over what it sends to others. */
  readonly listen: Endpoint;
  /** What it shows there. */
  readonly secret: string;
  readonly fastRetries: boolean;
}

/** Reads the texts of a config that `ConfigSchema` has found good. */
export function resolveConfig(found: ConfigText): Config {
  const { network, listen, peers, allow, exits, exit, gateway, gateways, acme, metrics, homeserver, ...rest } = found;
  return {
    ...rest,
    network: { id: network.id, secret: network.secret, roots: network.roots && keySet(network.roots) },
    listen: listen?.map((value) => parseHostPort(value)!),
    peers: peers.map(parsePeerUri),
    allow: allow && keySet(allow),
    exits: exits.map((value) => parseTarget(value)!),
    exit: resolveExit(exit),
    gateway: gateway && resolveGateway(gateway),
    gateways: gateways && resolveGateways(gateways),
    acme: acme && resolveAcme(acme),
    metrics: { listen: metrics.listen === undefined ? undefined : parseHostPort(metrics.listen) },
    homeserver: homeserver && {
      ...homeserver,
      name: homeserver.name,
      url: parseHttpUrl(homeserver.url)!,
      listen: parseEndpoint(homeserver.listen)!,
    },
  };
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
