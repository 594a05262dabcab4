import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { isServerName, nameToKey } from "../wire/name.js";
import { refusalOf } from "./classic/addresses.js";
import { parseClassicName } from "./classic/server-name.js";
import { FederationError } from "./errors.js";
import { TLS_PORTS, USER_PORT_MIN } from "./request-line.js";

/*
 * Tunnels: a homeserver that knows proxies asks with CONNECT for a server, and speaks TLS to it. For servers of the overlay, and those whose
 * name is bound to a node, that ends here, with a certificate of the local authority; the way on is the session, which proves by the key what
 * no authority could. To any other server the bytes pass as they are, and TLS ends at both ends.
 */

/** Where a tunnel is to lead: to a server with a node, or to a port of a host of the Internet. */
export type TunnelTarget = { readonly name: string } | { readonly host: string; readonly port: number };

/**
 * Reads the target of CONNECT; `isBound` says of a name that holds no key whether a node is known to speak for it, and may throw. Throws
 * `PINYON_CONNECT_TARGET` where no Matrix server can be there, or it is another form of an overlay name.
 */
export function parseTunnelTarget(target: string, isBound: (name: string) => boolean): TunnelTarget {
  const [, name = "", digits] = /^(.*):([0-9]{1,5})$/.exec(target) ?? [];
  const port = Number(digits);
  const isTlsPort = TLS_PORTS.has(port);
  if (isTlsPort && (isServerName(name) || isBound(name))) return { name };
  const classic = isTlsPort || port >= USER_PORT_MIN ? parseClassicName(target) : undefined;
  const isOther = classic !== undefined && nameToKey(classic.host) === undefined;
  if (!isOther || (classic.isAddress && refusalOf(classic.host) !== undefined)) {
    throw new FederationError("PINYON_CONNECT_TARGET", target);
  }
  return { host: classic.host, port };
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
