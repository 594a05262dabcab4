import type { Homeserver } from "../homeserver.js";
import { ClassicDendrite } from "./classic-dendrite.js";
import { classicSynapse } from "./classic-synapse.js";
import type { Host } from "./hosts.js";
import { homeserverFront, wellKnownFile } from "./nginx.js";
import type { SmallInternet } from "./small-internet.js";

/** Found by well-known, which leads to another host and to the port of HTTPS. */
const SYNAPSE = { label: "Synapse N", name: "north.example", host: "matrix.north.example", number: "1.1" };
/** Found by an SRV record. */
const DENDRITE = { name: "south.example", host: "dendrite.south.example", number: "1.2" };

const HTTP_PORT = 8008;

/** The newest rooms of Synapse's are too new for Dendrite. */
export const ROOMS = { default_room_version: "10" };

/** Homeservers of the classic federation, which know nothing of the mesh. */
export type ClassicHomeservers = readonly [synapse: Homeserver, dendrite: Homeserver];

/** The programs by which they run: `installSynapse` and `installDendrite`. */
export interface HomeserverPrograms {
  readonly python: string;
  readonly dendrite: string;
}

export async function startClassicSide(
  internet: SmallInternet,
  { python, dendrite }: HomeserverPrograms,
): Promise<ClassicHomeservers> {
  const { tell } = internet;
  tell("starting a Synapse of the classic federation, behind nginx");
  const { synapse: north } = await makeSynapse(internet, python, SYNAPSE);
  await north.start();
  tell("starting a Dendrite of the classic federation");
  return [north, await startDendrite(internet, dendrite)];
}

/** Where a Synapse is to stand, and what it is called. */
interface SynapsePlace {
  readonly label: string;
  readonly name: string;
  /** Where its well-known leads. */
  readonly host: string;
  /** Of its machine's addresses. */
  readonly number: string;
}

export interface ClassicSynapse {
  readonly synapse: Homeserver;
  readonly machine: Host;
  /** What is served as its well-known. */
  readonly wellKnown: string;
}

/** A Synapse as any of the classic federation, behind nginx, which runs; it does not run yet. */
export async function makeSynapse(
  internet: SmallInternet,
  python: string,
  { label, name, host: delegate, number }: SynapsePlace,
): Promise<ClassicSynapse> {
  const { owner, programs, dns, hosts, window } = internet;
  const short = name.slice(0, name.indexOf("."));
  const host = hosts.add(short, number, ["internet"]);
  const address = host.address("internet");
  for (const each of [name, delegate]) await dns.setAddresses(each, [address]);
  const folder = internet.folder(`${short}-synapse`);
  const tls = await internet.certify(folder, [name, delegate]);
  const frontFolder = internet.folder(`${short}-nginx`);
  const front = homeserverFront(host, programs, frontFolder, { name, host: delegate }, tls);
  owner.teardown(() => front.end());
  const synapse = await classicSynapse({
    python,
    folder,
    name,
    label,
    prefix: host.prefix,
    url: await window.url({ host: address, port: 80 }),
    env: { SSL_CERT_FILE: internet.authorityFile },
    settings: ROOMS,
  });
  owner.teardown(() => synapse.kill());
  await front.start();
  return { synapse, machine: host, wellKnown: wellKnownFile(frontFolder) };
}

async function startDendrite(internet: SmallInternet, program: string): Promise<Homeserver> {
  const { owner, dns, hosts, window } = internet;
  const { name, host: target, number } = DENDRITE;
  const host = hosts.add("south", number, ["internet"]);
  const address = host.address("internet");
  dns.setService(name, target, 8448);
  await dns.setAddresses(target, [address]);
  const folder = internet.folder("dendrite");
  const options = {
    program,
    folder,
    name,
    label: "Dendrite S",
    port: HTTP_PORT,
    prefix: host.prefix,
    url: await window.url({ host: address, port: HTTP_PORT }),
    env: { SSL_CERT_FILE: internet.authorityFile },
  };
  const dendrite = new ClassicDendrite(options, await internet.certify(folder, [name]));
  owner.teardown(() => dendrite.kill());
  await dendrite.start();
  return dendrite;
}
