import { isIPv4, isIPv6 } from "node:net";

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

/**
 * Why no connection may be made to `address` on the word of others, such as a name that anybody can have DNS say anything about; undefined
 * where it is a host of the public Internet and none of `own`, which are in any of their forms.
 */
export function refusalOf(address: string, own: Iterable<string> = []): AddressRefusal | undefined {
  const bytes = addressBytes(address);
  if (bytes === undefined) return "not an address";
  const special = (bytes.length === 4 ? IPV4 : IPV6).find((range) => isIn(bytes, range));
  if (special !== undefined) return special[2];
  if (bytes.length === 16 && !isIn(bytes, GLOBAL)) return GLOBAL[2];
  for (const each of own) {
    const ours = addressBytes(each.replace(/%.*$/, ""));
    if (ours !== undefined && isSame(ours, bytes)) return "this node's own";
  }
  return undefined;
}

/** The 4 or 16 bytes of an address; undefined for what is none, and for one with a zone, which means this machine's networks. */
export function addressBytes(address: string): Uint8Array | undefined {
  if (isIPv4(address)) return Uint8Array.from(address.split("."), Number);
  if (!isIPv6(address) || address.includes("%")) return undefined;
  const [head = "", tail] = address.split("::");
  const first = groupsOf(head);
  const last = groupsOf(tail ?? "");
  const bytes = new Uint8Array(16);
  bytes.set(first);
  if (tail !== undefined) bytes.set(last, 16 - last.length);
  return bytes;
}

/** The bytes of groups of hex digits, the last of which may be an IPv4 address. */
function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

const networks = new Map([...IPV4, ...IPV6, GLOBAL].map(([network]) => [network, addressBytes(network)!]));

function isIn(bytes: Uint8Array, [network, prefixBits]: Range): boolean {
  const of = networks.get(network)!;
  const whole = prefixBits >> 3;
  for (let i = 0; i < whole; i++) if (bytes[i] !== of[i]) return false;
  const mask = 0xff00 >> (prefixBits & 7);
  return whole === bytes.length || ((bytes[whole]! ^ of[whole]!) & mask & 0xff) === 0;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}
