import { isIP, isIPv4, isIPv6 } from "node:net";
import { nameToKey } from "../../wire/name.js";

/** The port of a server that states none and has no SRV record. */
export const DEFAULT_PORT = 8448;

/** A classic server's name, or the one that it is delegated to (appendices, "Server Name"). */
export interface ClassicName {
  /** As it is written: what a request says in `Host`. */
  readonly text: string;
  /** The host alone, in lower case, IPv6 without brackets: what the server's certificate must be for. */
  readonly host: string;
  readonly port: number | undefined;
  /** The host is an IP address. */
  readonly isAddress: boolean;
}

const FORM = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9A-Za-z.-]{1,253}))(?::([0-9]{1,5}))?$/;
/** Labels of letters, digits and hyphens, two at least, the last of which begins with a letter: no number stands for an address then. */
const DOMAIN_NAME = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** Domains outside DNS (RFC 6761, 6762, 9476), and the one set aside for private networks. */
const NO_DNS = /\.(alt|localhost|local|internal)$/;

/** Reads the name of a server that DNS may know; undefined for what is none, such as a name of this machine or of its network. */
export function parseClassicName(text: string): ClassicName | undefined {
  const [, bracketed, plain = "", digits] = FORM.exec(text) ?? [];
  const host = (bracketed ?? plain).toLowerCase();
  const port = digits === undefined ? undefined : Number(digits);
  if (port === 0 || (port !== undefined && port > 65_535)) return undefined;
  const isAddress = bracketed === undefined ? isIPv4(host) : isIPv6(host);
  if (!isAddress && (bracketed !== undefined || !isDomainName(host))) return undefined;
  return { text, host, port, isAddress };
}

/** True for a name that is none of the overlay, nor another form of one of its names: that would be a second name of one server. */
export function isClassicName(text: string): boolean {
  const name = parseClassicName(text);
  return name !== undefined && nameToKey(name.host) === undefined;
}

function isDomainName(host: string): boolean {
  return host.length <= 253 && isIP(host) === 0 && DOMAIN_NAME.test(host) && !NO_DNS.test(host);
}
