import { X509Certificate } from "node:crypto";
import { type Certificate, certificateKey, selfSignedCertificate } from "../../src/link/certificate.js";
import { Listener, type ListenerOptions } from "../../src/link/listener.js";
import { realTimers } from "./timers.js";

/** Certificate and key of the listening node of a test. */
export const LISTENER_CERTIFICATE: Certificate = await selfSignedCertificate(
  new Uint8Array(32).fill(7),
  "listener.pinyon.alt",
);
export const LISTENER_KEY: Uint8Array = certificateKey(new X509Certificate(LISTENER_CERTIFICATE.certificatePem))!;

/** A listener on a free port of loopback. */
export async function startListener(
  options: Partial<ListenerOptions> & Pick<ListenerOptions, "onLink">,
): Promise<{ listener: Listener; port: number }> {
  const listener = new Listener({ certificate: LISTENER_CERTIFICATE, timers: realTimers, ...options });
  await listener.listen(0, "127.0.0.1");
  return { listener, port: listener.address()!.port };
}
