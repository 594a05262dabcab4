import { isIPv4, isIPv6 } from "node:net";

/*
 * Addresses that classic servers come from. Whoever has one address of IPv6 has the 64 bits below its network's (RFC 4291, 2.5.1), so what
 * one may use is counted by network there.
 */

/** An address in one form: IPv4 as such also where IPv6 holds it, without a zone. Undefined where it is none. */
export function plainAddress(address: string): string | undefined {
  const bare = address.replace(/%.*$/, "");
  if (isIPv4(bare)) return bare;
  if (!isIPv6(bare)) return undefined;
  const groups = groupsOf(bare);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped)
    return groups
      .slice(6)
      .map((group) => `${group >> 8}.${group & 0xff}`)
      .join(".");
  return new URL(`http://[${bare}]`).hostname.slice(1, -1);
}

/** What is counted as one source: an address of IPv4, or a network of 64 bits of IPv6. Takes what `plainAddress` gives. */
export function sourceOf(address: string): string {
  if (isIPv4(address)) return address;
  const network = groupsOf(address).slice(0, 4);
  return `${network.map((group) => group.toString(16)).join(":")}::/64`;
}

/** The eight numbers of an IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = "", tail = ""] = address.split("::");
  const [before, after] = [numbersOf(head), numbersOf(tail)];
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function numbersOf(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}
