import { isIPv6 } from "node:net";

/** An address to listen on. */
export interface HostPort {
  /** An IP address or a host name, IPv6 without brackets. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

const FORM = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^[\]:\s]+)):(\d{1,5})$/;

/** Reads `host:port`, IPv6 in brackets; undefined where `text` has another form. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [, bracketed, plain, digits] = match;
  const port = Number(digits);
  if (port > 65_535 || (bracketed !== undefined && !isIPv6(bracketed))) return undefined;
  return { host: bracketed ?? plain ?? "", port };
}

/** The form that `parseHostPort` reads. */
export function formatHostPort({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
