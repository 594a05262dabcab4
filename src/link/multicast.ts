import { createSocket, type RemoteInfo } from "node:dgram";
import type { NetworkInterfaceInfo } from "node:os";
import multicastDns, {
  type FullPacket,
  type MulticastDNS,
  type QueryOutgoingPacket,
  type ResponseOutgoingPacket,
} from "multicast-dns";
import { isInSubnets, isLinkLocalAddress } from "./addresses.js";

/** One interface and address family on which multicast DNS is spoken. */
export interface MulticastPlace {
  readonly interfaceName: string;
  readonly family: "IPv4" | "IPv6";
  /** The interface's own addresses, to announce. */
  readonly addresses: readonly string[];
  /** Subnets of the interface: what is on this link. */
  readonly cidrs: readonly string[];
}

/** The places of a host's interfaces (`os.networkInterfaces()`): IPv4 where there is an address, IPv6 where a link-local one. */
export function multicastPlaces(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): MulticastPlace[] {
  return Object.entries(interfaces).flatMap(([interfaceName, infos = []]) => {
    // A link-local IPv6 address means nothing without its zone, which each host names for itself: senders show theirs.
    const usable = infos.filter(({ address }) => !/^fe80:/i.test(address));
    const addresses = usable.map(({ address }) => address);
    const cidrs = usable.flatMap(({ cidr }) => cidr ?? []);
    const hasIpv4 = infos.some(({ family }) => family === "IPv4");
    const hasIpv6 = infos.some(({ family, address }) => family === "IPv6" && isLinkLocalAddress(address));
    const families = [...(hasIpv4 ? (["IPv4"] as const) : []), ...(hasIpv6 ? (["IPv6"] as const) : [])];
    return families.map((family) => ({ interfaceName, family, addresses, cidrs }));
  });
}

export interface MulticastHandlers {
  /** The socket works: messages may be sent. */
  readonly onReady: () => void;
  readonly onQuery: (query: FullPacket) => void;
  readonly onResponse: (response: FullPacket, senderAddress: string) => void;
  /** A message that is no DNS. */
  readonly onGarbage: () => void;
  /** A message from elsewhere than this link. */
  readonly onForeign: () => void;
  /** How the last message went out. */
  readonly onSent: (error: Error | undefined) => void;
  /** The system refuses the socket: it does not work, and is to be closed. */
  readonly onError: (error: Error) => void;
}

/** A multicast DNS socket on one place. Several on one host share port 5353. Nothing may be sent before `onReady`. */
export class MulticastSocket {
  readonly #handlers: MulticastHandlers;
  readonly #mdns: MulticastDNS;
  #hasFailed = false;

  constructor(
    readonly place: MulticastPlace,
    handlers: MulticastHandlers,
  ) {
    this.#handlers = handlers;
    this.#mdns = openMdns(place);
    this.#mdns.on("query", (query, sender) => {
      if (this.#isOnLink(sender)) handlers.onQuery(query);
      else handlers.onForeign();
    });
    this.#mdns.on("response", (response, sender) => {
      if (this.#isOnLink(sender)) handlers.onResponse(response, sender.address);
      else handlers.onForeign();
    });
    this.#mdns.on("warning", (error: NodeJS.ErrnoException) => {
      if (error.syscall === undefined) handlers.onGarbage();
      else this.#fail(error);
    });
    this.#mdns.on("error", (error) => this.#fail(error));
    this.#mdns.on("ready", () => {
      if (!this.#hasFailed) handlers.onReady();
    });
  }

  query(query: QueryOutgoingPacket): void {
    this.#mdns.query(query, (error) => this.#handlers.onSent(error ?? undefined));
  }

  respond(records: ResponseOutgoingPacket): Promise<void> {
    return new Promise((resolve) => {
      this.#mdns.respond(records, (error) => {
        this.#handlers.onSent(error ?? undefined);
        resolve();
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#mdns.destroy(() => resolve());
    });
  }

  /** Later, because `multicast-dns` goes on setting options of the socket. Until then nothing is sent: it could go elsewhere. */
  #fail(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    setImmediate(() => this.#handlers.onError(error));
  }

  /** RFC 6762, 11: only who is on this link is answered or believed; a router passes no multicast, but unicast to port 5353. */
  #isOnLink(sender: RemoteInfo): boolean {
    const [address = "", zone] = sender.address.split("%");
    if (zone !== undefined) return zone === this.place.interfaceName;
    return isInSubnets(address, this.place.cidrs) || isLinkLocalAddress(address);
  }
}

function openMdns(place: MulticastPlace): MulticastDNS {
  const isIpv4 = place.family === "IPv4";
  // An IPv6 socket of its own kind: on "::" it would take the IPv4 messages too.
  const socket = createSocket({ type: isIpv4 ? "udp4" : "udp6", reuseAddr: true, ipv6Only: !isIpv4 });
  const own = place.addresses.find((address) => address.includes(".")) ?? "";
  return isIpv4
    ? multicastDns({ socket, type: "udp4", interface: own, bind: "0.0.0.0" })
    : multicastDns({ socket, type: "udp6", ip: "ff02::fb", interface: `::%${place.interfaceName}`, bind: "::" });
}
