import type { Duplex } from "node:stream";
import { checkServerIdentity, connect, type TLSSocket } from "node:tls";
import { FederationError } from "../errors.js";
import type { Timers } from "../overlay.js";
import { TLS_TIMEOUT_MS } from "./config.js";
import type { ClassicName } from "./server-name.js";

/** Certificates of authorities in PEM in place of those that the platform brings; undefined: those. */
export type Authorities = readonly string[] | undefined;

/**
 * TLS with a server on `socket`: its certificate must be for the host of `name`, by an authority that is believed, and in its time. An IP
 * address is in no server name indication (RFC 6066, section 3). Rejects with `PINYON_CLASSIC_TLS`; then the socket is destroyed.
 */
export function startClassicTls(
  socket: Duplex,
  { host, isAddress }: Pick<ClassicName, "host" | "isAddress">,
  authorities: Authorities,
  timers: Timers,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = connect({
      socket,
      ...(isAddress ? {} : { servername: host }),
      checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
      ALPNProtocols: ["http/1.1"],
      minVersion: "TLSv1.2",
      ...(authorities === undefined ? {} : { ca: [...authorities] }),
    });
    const fail = (why: string, cause?: unknown) => {
      socket.destroy();
      secured.destroy();
      reject(new FederationError("PINYON_CLASSIC_TLS", `${host}: ${why}`, { cause }));
    };
    const cancel = timers.after(TLS_TIMEOUT_MS, () => fail("the handshake takes too long"));
    // It stays: a connection that waits for its next request may break.
    secured.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message, error));
    secured.once("close", () => {
      cancel();
      fail("the connection ended in the handshake");
    });
    secured.once("secureConnect", () => {
      cancel();
      resolve(secured);
    });
  });
}
