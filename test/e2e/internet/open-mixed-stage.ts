import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certified, TestAuthority } from "../../federation/authority.js";
import { synapseBeside } from "../beside.js";
import { installDendrite, whyNoDendrite } from "../dendrite-install.js";
import type { Homeserver } from "../homeserver.js";
import type { Tell } from "../install.js";
import type { Json } from "../matrix-client.js";
import { type MeshNode, makeMesh, type Owner, startAll } from "../mesh.js";
import { type Edge, type Place, whyNoNamespaces } from "../place.js";
import { installSynapse, whyNoSynapse } from "../synapse-install.js";
import { ClassicDendrite } from "./classic-dendrite.js";
import { classicSynapse } from "./classic-synapse.js";
import { type DebianPrograms, installDebianPrograms, whyNoDebianPrograms } from "./debian-programs.js";
import { dnsServer } from "./dns.js";
import { type Host, Hosts } from "./hosts.js";
import { MixedStage } from "./mixed-stage.js";
import { homeserverFront, streamFront } from "./nginx.js";
import { Window } from "./window.js";

/** The domain of the gateways. */
const DOMAIN = "gateway.example";
/** Found by well-known, which leads to another host and to the port of HTTPS. */
const SYNAPSE_NAME = "north.example";
const SYNAPSE_HOST = "matrix.north.example";
/** Found by an SRV record. */
const DENDRITE_NAME = "south.example";
const DENDRITE_HOST = "dendrite.south.example";

const [A, B, G1, G2] = [0, 1, 2, 3] as const;
const LABELS = ["A", "B", "G1", "G2"];
const EDGES: readonly Edge[] = [
  [A, G1],
  [A, G2],
  [B, G1],
  [B, G2],
  [G1, G2],
];
const LINK_PORT = 18_100;
/** Where the second gateway is, behind its nginx. */
const INNER_PORT = 4_430;
const REACH_MS = 15_000;
/** The newest rooms of Synapse's are too new for Dendrite. */
const ROOMS = { default_room_version: "10" };

/** Why the stage cannot be opened here, in a sentence; undefined where it can. */
export function whyNoMixedStage(): string | undefined {
  return whyNoNamespaces() ?? whyNoSynapse() ?? whyNoDendrite() ?? whyNoDebianPrograms();
}

/** A small Internet while it is set up. */
interface Internet {
  readonly owner: Owner;
  readonly tell: Tell;
  readonly folder: string;
  readonly programs: DebianPrograms;
  readonly authority: TestAuthority;
  /** The authority's certificate. */
  readonly caFile: string;
  readonly hosts: Hosts;
  readonly window: Window;
}

/**
 * A small Internet in network namespaces: its own DNS, its own certificate authority, a Synapse and a Dendrite of the classic federation
 * and two gateways; behind those, in a network without a way out, two nodes with a Synapse each. All ends with its owner.
 */
export async function openMixedStage(owner: Owner, tell: Tell): Promise<MixedStage> {
  const [python, dendrite, programs] = [
    await installSynapse(tell),
    await installDendrite(tell),
    await installDebianPrograms(tell),
  ];
  const internet = await openInternet(owner, tell, programs);
  const classic = await startClassic(internet, python, dendrite);
  const { overlay, gateways } = await startOverlay(internet, python);
  return new MixedStage({ overlay, classic, gateways });
}

async function openInternet(owner: Owner, tell: Tell, programs: DebianPrograms): Promise<Internet> {
  tell("making a small Internet in network namespaces");
  const folder = mkdtempSync(join(tmpdir(), "pinyon-internet-"));
  owner.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  const hosts = new Hosts(owner);
  const authority = await TestAuthority.make("Authority of the small Internet");
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, authority.certificatePem);
  const window = Window.open(owner, hosts.add("window", "9.9", ["internet", "lan"]));
  const dns = dnsServer(hosts.add("dns", "0.53", ["internet"]), programs, subfolder(folder, "dns"), [
    `${SYNAPSE_NAME}. A 5.5.1.1`,
    `${SYNAPSE_HOST}. A 5.5.1.1`,
    `_matrix-fed._tcp.${DENDRITE_NAME}. SRV 10 0 8448 ${DENDRITE_HOST}.`,
    `${DENDRITE_HOST}. A 5.5.1.2`,
    `*.${DOMAIN}. A 5.5.2.1`,
    `*.${DOMAIN}. A 5.5.2.2`,
  ]);
  owner.teardown(() => dns.end());
  await dns.start();
  return { owner, tell, folder, programs, authority, caFile, hosts, window };
}

async function startClassic(internet: Internet, python: string, dendriteProgram: string) {
  const { owner, tell, folder, programs, authority, caFile, hosts, window } = internet;
  const env = { SSL_CERT_FILE: caFile };
  const north = hosts.add("north", "1.1", ["internet"]);
  const synapseFolder = subfolder(folder, "synapse");
  const tls = await writeCertificate(authority, synapseFolder, [SYNAPSE_NAME, SYNAPSE_HOST]);
  const names = { name: SYNAPSE_NAME, host: SYNAPSE_HOST };
  const front = homeserverFront(north, programs, subfolder(folder, "synapse-nginx"), names, tls);
  owner.teardown(() => front.end());
  tell("starting a Synapse of the classic federation, behind nginx");
  const synapse = await classicSynapse({
    python,
    folder: synapseFolder,
    name: SYNAPSE_NAME,
    label: "Synapse N",
    prefix: north.prefix,
    url: await window.url({ host: north.address("internet"), port: 80 }),
    env,
    settings: ROOMS,
  });
  owner.teardown(() => synapse.kill());
  await front.start();
  await synapse.start();
  tell("starting a Dendrite of the classic federation");
  const south = hosts.add("south", "1.2", ["internet"]);
  const dendriteFolder = subfolder(folder, "dendrite");
  const options = {
    program: dendriteProgram,
    folder: dendriteFolder,
    name: DENDRITE_NAME,
    label: "Dendrite S",
    port: 8008,
    prefix: south.prefix,
    url: await window.url({ host: south.address("internet"), port: 8008 }),
    env,
  };
  const dendrite = new ClassicDendrite(options, await writeCertificate(authority, dendriteFolder, [DENDRITE_NAME]));
  owner.teardown(() => dendrite.kill());
  await dendrite.start();
  return [synapse, dendrite] as const;
}

async function startOverlay(internet: Internet, python: string) {
  const { owner, tell, hosts, caFile, authority, folder, programs } = internet;
  const machines = [
    hosts.add("a", "3.1", ["lan"]),
    hosts.add("b", "3.2", ["lan"]),
    hosts.add("g1", "2.1", ["lan", "internet"]),
    hosts.add("g2", "2.2", ["lan", "internet"]),
  ] as const;
  const place: Place = {
    prefix: (node) => [...machines[node]!.prefix, "env", `NODE_EXTRA_CA_CERTS=${caFile}`],
    listen: (node) => ({ host: machines[node]!.address("lan"), port: LINK_PORT }),
    address: ([, to]) => ({ host: machines[to]!.address("lan"), port: LINK_PORT }),
  };
  const nodes = await makeMesh(owner, {
    nodeCount: 4,
    edges: EDGES,
    place,
    labels: LABELS,
    suffixes: [DOMAIN, DOMAIN, undefined, undefined],
    settings: settingsOf,
  });
  for (const node of nodes.slice(0, 2)) await writeCertificate(authority, node.folder, [node.name]);
  const overlay: Homeserver[] = [];
  for (const index of [A, B]) overlay.push(await overlaySynapse(internet, nodes[index]!, machines[index]!, python));
  const front = streamFront(
    machines[G2],
    programs,
    subfolder(folder, "gateway-nginx"),
    [443, 8448],
    [`127.0.0.1:${INNER_PORT}`, `${machines[G1].address("internet")}:443`],
  );
  owner.teardown(() => front.end());
  tell("starting gateways G1 and G2, the second behind nginx, and nodes A and B behind them");
  await front.start();
  await startAll(nodes);
  for (const node of nodes.slice(0, 2)) await node.reach(nodes[G1]!, REACH_MS);
  tell("starting two Synapses that have no DNS and no way to the Internet");
  for (const homeserver of overlay) await homeserver.start();
  const gateways = [G1, G2].map((index) => ({ node: nodes[index]!, host: machines[index]! }));
  return {
    overlay: overlay as [Homeserver, Homeserver],
    gateways: gateways as [(typeof gateways)[0], (typeof gateways)[0]],
  };
}

/** What makes a node one behind the gateways, or a gateway and exit. */
function settingsOf({ index, folder }: MeshNode, nodes: readonly MeshNode[]): Json {
  const [behind, gateways] = [nodes.slice(0, 2), nodes.slice(2)].map((some) => some.map(({ name }) => name));
  if (index === A || index === B) {
    const files = { certificate: join(folder, "fullchain.pem"), key: join(folder, "privkey.pem") };
    return { classic: "exit", exits: gateways, gateways: { nodes: gateways, ...files } };
  }
  const listen = index === G1 ? ["0.0.0.0:443", "0.0.0.0:8448"] : [`127.0.0.1:${INNER_PORT}`];
  return { exit: { allow: behind }, gateway: { domain: DOMAIN, listen, allow: behind } };
}

async function overlaySynapse({ owner, window }: Internet, node: MeshNode, host: Host, python: string) {
  const address = host.address("lan");
  const url = (port: number) => window.url({ host: address, port });
  const listener = (port: number) => ({
    port,
    bind_addresses: ["127.0.0.1", address],
    type: "http",
    x_forwarded: true,
    resources: [{ names: ["client", "federation"] }],
  });
  const settings = (port: number) => ({ ...ROOMS, listeners: [listener(port)] });
  const synapse = await synapseBeside(node, python, host.prefix, settings, url);
  owner.teardown(() => synapse.kill());
  return synapse;
}

function subfolder(folder: string, name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}

/** Writes the files of a certificate for these names, in a folder. */
async function writeCertificate(authority: TestAuthority, folder: string, dns: readonly string[]) {
  const { cert, key }: Certified = await authority.certify({ dns });
  const files = { certificate: join(folder, "fullchain.pem"), key: join(folder, "privkey.pem") };
  writeFileSync(files.certificate, cert);
  writeFileSync(files.key, key, { mode: 0o600 });
  return files;
}
