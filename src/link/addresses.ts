import { BlockList, isIP, isIPv6 } from "node:net";

/** Source and neighbour addresses as Node gives them: IPv4, IPv6 with or without a zone, IPv4 mapped into IPv6. */

const LOOPBACK = subnets(["127.0.0.0", 8], ["::1", 128]);
const LINK_LOCAL = subnets(["169.254.0.0", 16], ["fe80::", 10]);
const PRIVATE = subnets(["10.0.0.0", 8], ["172.16.0.0", 12], ["192.168.0.0", 16], ["fc00::", 7]);

/** True for loopback (RFC 1122, 4291), link-local (RFC 3927, 4291) and private addresses (RFC 1918, 4193); not for 100.64.0.0/10. */
export function isLocalAddress(address: string): boolean {
  return [LOOPBACK, LINK_LOCAL, PRIVATE].some((list) => contains(list, address));
}

export function isLinkLocalAddress(address: string): boolean {
  return contains(LINK_LOCAL, address);
}

/** True for a loopback address and for `localhost` (RFC 6761). */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || contains(LOOPBACK, host);
}

/** True where `address` lies in one of the subnets, each given as `address/prefix`. */
export function isInSubnets(address: string, cidrs: Iterable<string>): boolean {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = "", prefix] = cidr.split("/");
    list.addSubnet(withoutZone(network), Number(prefix), family(network));
  }
  return contains(list, address);
}

/** `address` in its short form: an IPv4 address mapped into IPv6 as IPv4. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped?.[1] ?? address;
}

/** What counts as one source: an IPv4 address, or the /64 that one IPv6 customer has at least. */
export function sourceOf(address: string): string {
  const plain = plainAddress(address);
  if (!isIPv6(withoutZone(plain))) return plain;
  const [head = "", tail = ""] = withoutZone(plain).split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === "" ? [] : tail.split(":");
  const zeros = plain.includes("::") ? Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0") : [];
  const groups = [...first, ...zeros, ...last].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}

function subnets(...list: [network: string, prefix: number][]): BlockList {
  const blocks = new BlockList();
  for (const [network, prefix] of list) blocks.addSubnet(network, prefix, family(network));
  return blocks;
}

function contains(list: BlockList, address: string): boolean {
  const plain = withoutZone(address);
  return isIP(plain) !== 0 && list.check(plain, family(plain));
}

function withoutZone(address: string): string {
  const zone = address.indexOf("%");
  return zone < 0 ? address : address.slice(0, zone);
}

function family(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}
