import { BlockList, isIP } from "node:net";

/** Why no connection is made to an address. */
export type AddressRefusal =
  | "not an address"
  | "unspecified"
  | "loopback"
  | "private"
  | "link-local"
  | "shared (CGNAT)"
  | "unique local"
  | "multicast"
  | "IPv4 mapped into IPv6"
  | "NAT64"
  | "6to4 or Teredo"
  | "reserved"
  | "this node's own";

type Range = readonly [network: string, prefixBits: number, refusal: AddressRefusal];

/** The registry of special IPv4 addresses (RFC 6890 and its updates), and multicast. The first line that fits counts. */
const IPV4: readonly Range[] = [
  ["0.0.0.0", 32, "unspecified"],
  ["0.0.0.0", 8, "reserved"],
  ["10.0.0.0", 8, "private"],
  ["100.64.0.0", 10, "shared (CGNAT)"],
  ["127.0.0.0", 8, "loopback"],
  ["169.254.0.0", 16, "link-local"],
  ["172.16.0.0", 12, "private"],
  ["192.0.0.0", 24, "reserved"],
  ["192.0.2.0", 24, "reserved"],
  ["192.88.99.0", 24, "6to4 or Teredo"],
  ["192.168.0.0", 16, "private"],
  ["198.18.0.0", 15, "reserved"],
  ["198.51.100.0", 24, "reserved"],
  ["203.0.113.0", 24, "reserved"],
  ["224.0.0.0", 4, "multicast"],
  ["240.0.0.0", 4, "reserved"],
];

/** The same of IPv6. What holds an IPv4 address inside leads to that by a translator nearby: to any, so none of them is taken. */
const IPV6: readonly Range[] = [
  ["::", 128, "unspecified"],
  ["::1", 128, "loopback"],
  ["::ffff:0:0", 96, "IPv4 mapped into IPv6"],
  ["::ffff:0:0:0", 96, "NAT64"],
  ["64:ff9b::", 96, "NAT64"],
  ["64:ff9b:1::", 48, "NAT64"],
  ["fe80::", 10, "link-local"],
  ["fec0::", 10, "private"],
  ["fc00::", 7, "unique local"],
  ["ff00::", 8, "multicast"],
  ["2001::", 32, "6to4 or Teredo"],
  ["2002::", 16, "6to4 or Teredo"],
  ["2001::", 23, "reserved"],
  ["2001:db8::", 32, "reserved"],
  ["3fff::", 20, "reserved"],
];
/** All that is given out for hosts of the Internet (RFC 4291, section 2.4): what lies outside is nothing. */
const GLOBAL: Range = ["2000::", 3, "reserved"];

const listOf = (family: "ipv4" | "ipv6", [network, prefixBits]: Range): BlockList => {
  const list = new BlockList();
  list.addSubnet(network, prefixBits, family);
  return list;
};
const ipv4 = IPV4.map((range) => [listOf("ipv4", range), range[2]] as const);
const ipv6 = IPV6.map((range) => [listOf("ipv6", range), range[2]] as const);
const global = listOf("ipv6", GLOBAL);

/**
 * Why no connection may be made to `address` on the word of others, such as a name that anybody can have DNS say anything about; undefined
 * where it is a host of the public Internet and none of `own`, which are in any of their forms.
 */
export function refusalOf(address: string, own: Iterable<string> = []): AddressRefusal | undefined {
  if (!isAddress(address)) return "not an address";
  const family = familyOf(address);
  const special = (family === "ipv4" ? ipv4 : ipv6).find(([list]) => list.check(address, family));
  if (special !== undefined) return special[1];
  if (family === "ipv6" && !global.check(address, family)) return GLOBAL[2];
  const ours = new BlockList();
  for (const each of own) {
    const bare = each.replace(/%.*$/, "");
    if (isAddress(bare)) ours.addAddress(bare, familyOf(bare));
  }
  return ours.check(address, family) ? "this node's own" : undefined;
}

/** True for an IP address, but for one with a zone, which means this machine's networks. */
export const isAddress = (text: string): boolean => isIP(text) !== 0 && !text.includes("%");

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 4 ? "ipv4" : "ipv6");
