import { synapseBeside } from "../beside.js";
import type { Homeserver } from "../homeserver.js";
import type { Json } from "../matrix-client.js";
import { type MeshNode, makeMesh, startAll } from "../mesh.js";
import type { Edge, Place } from "../place.js";
import { ROOMS } from "./classic-side.js";
import { haproxy } from "./haproxy.js";
import type { Host } from "./hosts.js";
import type { GatewayHost } from "./mixed-stage.js";
import { streamFront } from "./nginx.js";
import type { CertificateFiles, SmallInternet } from "./small-internet.js";

/** The domain of the gateways. */
const DOMAIN = "gateway.example";
/** What the DNS has of it. */
export const EVERY_NODE = `*.${DOMAIN}`;

const [A, B, G1, G2, D] = [0, 1, 2, 3, 4] as const;
const LABELS = ["A", "B", "G1", "G2", "D"];
const EDGES: readonly Edge[] = [
  [A, G1],
  [A, G2],
  [B, G1],
  [B, G2],
  [G1, G2],
  [D, G1],
  [D, G2],
];
const LINK_PORT = 18_100;
const CLASSIC_PORTS = [443, 8448];
/** Where gateways take what a front passes on. */
const FRONT_PORT = 8_443;
const REACH_MS = 15_000;

export interface OverlaySide {
  readonly homeservers: readonly [Homeserver, Homeserver];
  /** Beside them. */
  readonly nodes: readonly [MeshNode, MeshNode];
  /** The node beside a classic homeserver; it runs when that is connected with it. */
  readonly besideClassic: MeshNode;
  readonly gateways: readonly [GatewayHost, GatewayHost];
  /** Where HAProxy stands before both gateways; the DNS leads there when a step says so. */
  readonly front: Host;
}

type Machines = readonly [a: Host, b: Host, g1: Host, g2: Host, d: Host];

/**
 * Two gateways, the second behind nginx, and two nodes that reach nothing but those: TLS of classic servers ends at A, and for B at its
 * gateways. A node for the machine of a classic homeserver is made, too.
 */
export async function startOverlaySide(internet: SmallInternet, python: string, classic: Host): Promise<OverlaySide> {
  const { owner, tell, hosts, dns } = internet;
  const machines: Machines = [
    hosts.add("a", "3.1", ["lan"]),
    hosts.add("b", "3.2", ["lan"]),
    hosts.add("g1", "2.1", ["lan", "internet"]),
    hosts.add("g2", "2.2", ["lan", "internet"]),
    classic,
  ];
  const front = hosts.add("front", "2.3", ["internet"]);
  const nodes = await makeNodes(internet, machines, front);
  await dns.setAddresses(EVERY_NODE, [machines[G1].address("internet"), machines[G2].address("internet")]);
  const homeservers: Homeserver[] = [];
  for (const index of [A, B]) homeservers.push(await synapseOf(internet, nodes[index]!, machines[index], python));
  tell("starting gateways G1 and G2, the second behind nginx, and nodes A and B behind them");
  await startFronts(internet, machines, front);
  await startAll(nodes.slice(0, D));
  for (const node of [nodes[A]!, nodes[B]!]) await node.reach(nodes[G1]!, REACH_MS);
  tell("starting two Synapses that have no DNS and no way to the Internet");
  for (const homeserver of homeservers) {
    owner.teardown(() => homeserver.kill());
    await homeserver.start();
  }
  const [one, other] = [G1, G2].map((index) => ({ node: nodes[index]!, host: machines[index] }));
  const pair = [nodes[A]!, nodes[B]!] as const;
  return {
    homeservers: [homeservers[A]!, homeservers[B]!],
    nodes: pair,
    gateways: [one!, other!],
    besideClassic: nodes[D]!,
    front,
  };
}

async function makeNodes(internet: SmallInternet, machines: Machines, front: Host): Promise<MeshNode[]> {
  const { owner } = internet;
  const place: Place = {
    prefix: (node) => [...machines[node]!.prefix, "env", `NODE_EXTRA_CA_CERTS=${internet.authorityFile}`],
    listen: () => ({ host: "0.0.0.0", port: LINK_PORT }),
    address: ([from, to]) => ({ host: machines[to]!.address(from === D ? "internet" : "lan"), port: LINK_PORT }),
  };
  const wildcard = await internet.certify(internet.folder("wildcard"), [EVERY_NODE]);
  const folder = internet.folder("certificate");
  const own = { certificate: `${folder}/fullchain.pem`, key: `${folder}/privkey.pem` };
  const fronts = [front, machines[G2]].map((host) => host.address("internet"));
  const nodes = await makeMesh(owner, {
    nodeCount: machines.length,
    edges: EDGES,
    place,
    labels: LABELS,
    suffixes: [DOMAIN, DOMAIN, undefined, undefined],
    settings: ({ index }, all) => {
      if (index === D) return {};
      return index < G1 ? nodeSettings(index, all, own) : gatewaySettings(index, all, wildcard, fronts);
    },
  });
  await internet.certify(folder, [nodes[A]!.name]);
  return nodes;
}

/** What makes a node one behind the gateways. */
function nodeSettings(index: number, nodes: readonly MeshNode[], certificate: CertificateFiles): Json {
  const gateways = [nodes[G1]!.name, nodes[G2]!.name];
  return {
    classic: "exit",
    exits: gateways,
    gateways: { nodes: gateways, ...(index === A ? certificate : { terminate: true }) },
  };
}

/** What makes a node a gateway and an exit. */
function gatewaySettings(
  index: number,
  nodes: readonly MeshNode[],
  wildcard: CertificateFiles,
  fronts: readonly string[],
): Json {
  const allow = [nodes[A]!.name, nodes[B]!.name];
  const listen = [...(index === G1 ? CLASSIC_PORTS : []), FRONT_PORT].map((port) => `0.0.0.0:${port}`);
  return {
    exit: { allow },
    gateway: { domain: DOMAIN, listen, allow, fronts, terminate: true, ...wildcard },
  };
}

/** nginx on the second gateway's machine, and HAProxy on one of its own, each before both gateways. */
async function startFronts(internet: SmallInternet, machines: Machines, host: Host): Promise<void> {
  const { owner, programs } = internet;
  const places = [machines[G1], machines[G2]].map((each) => `${each.address("internet")}:${FRONT_PORT}`);
  const fronts = [
    streamFront(machines[G2], programs, internet.folder("gateway-nginx"), places),
    haproxy(host, programs, internet.folder("haproxy"), places),
  ];
  for (const front of fronts) {
    owner.teardown(() => front.end());
    await front.start();
  }
}

/** A Synapse beside a node, for clients of the network that it is in. */
function synapseOf({ window }: SmallInternet, node: MeshNode, host: Host, python: string): Promise<Homeserver> {
  const address = host.address("lan");
  const listener = (port: number) => ({
    port,
    bind_addresses: ["127.0.0.1", address],
    type: "http",
    x_forwarded: true,
    resources: [{ names: ["client", "federation"] }],
  });
  const settings = (port: number) => ({ ...ROOMS, listeners: [listener(port)] });
  return synapseBeside(node, python, host.prefix, settings, (port) => window.url({ host: address, port }));
}
