import { isIP, type Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { isServerName, nameToKey } from "../wire/name.js";
import { FederationError } from "./errors.js";
import { TLS_PORTS } from "./request-line.js";

/*
 * Tunnels: a homeserver that knows proxies asks with CONNECT for a server, and speaks TLS to it. For servers of the overlay that ends
 * here, with a certificate of the local authority; the way on is the session, which proves by the name's key what no authority could.
 */

/** The server that a tunnel is to lead to. Throws a `FederationError` unless it is one of the overlay, by its one name. */
export function parseTunnelTarget(target: string): string {
  const [, name, port] = /^(.*):([0-9]{1,5})$/.exec(target) ?? [];
  if (name === undefined || !TLS_PORTS.has(Number(port))) throw new FederationError("PINYON_CONNECT_TARGET", target);
  if (isServerName(name)) return name;
  throw new FederationError(isClassicName(name) ? "PINYON_CLASSIC_NAME" : "PINYON_CONNECT_TARGET", target);
}

/** Labels of letters, digits and hyphens, two at least, the last of which begins with a letter: no number stands for an address then. */
const DOMAIN_NAME = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?$/;
/** Domains outside DNS (RFC 6761, 6762, 9476), and the one set aside for private networks. */
const NO_DNS = /\.(alt|localhost|local|internal)$/;

/** True for what DNS may know as the name of another machine: no address, no name of this machine, no other form of a key. */
function isClassicName(name: string): boolean {
  const lower = name.toLowerCase();
  return isIP(lower) === 0 && DOMAIN_NAME.test(lower) && !NO_DNS.test(lower) && nameToKey(lower) === undefined;
}

/** Tells a client that its tunnel stands, in the version of HTTP that it asked in: some ask in 1.0, and take no status but 200. */
export function confirmTunnel(socket: Socket, httpVersion: string): void {
  socket.write(`HTTP/${httpVersion} 200 Connection established\r\n\r\n`);
}

/**
 * The TLS server at this end of a tunnel to `name`. `onSecure` is called once the handshake is done, `onFailure` where it never is: the
 * client does not trust the certificate, offers HTTP/2 alone, asks for another name, or goes away.
 */
export function startTls(
  socket: Socket,
  tunnel: { readonly name: string; readonly secureContext: SecureContext },
  onSecure: (secured: TLSSocket) => void,
  onFailure: () => void,
): void {
  const { name, secureContext } = tunnel;
  const secured = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] });
  let isSecure = false;
  const cut = () => socket.destroy();
  // Over TLS nobody ends one side alone: the client is gone, which mistrusts the certificate or waits no longer.
  secured.once("end", cut);
  secured.on("error", cut);
  secured.once("secure", () => {
    // A client that names no server in TLS has named it to the proxy.
    const { servername } = secured as { servername?: string | false | null };
    if (servername && servername.toLowerCase() !== name) {
      cut();
      return;
    }
    isSecure = true;
    onSecure(secured);
  });
  secured.once("close", () => {
    if (!isSecure) onFailure();
  });
}
