/** An end of TLS 1.3: `server`, which counts what comes in, or `client <port>`, which sends. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { selfSignedCertificate } from "../../../src/link/certificate.js";
import { Flow, Meter } from "./flow.js";
import { serve } from "./serve.js";

const meter = new Meter();

async function serveEnd(): Promise<void> {
  const { certificatePem, privateKeyPem } = await selfSignedCertificate(new Uint8Array(32), "bench");
  const options = { cert: certificatePem, key: privateKeyPem, minVersion: "TLSv1.3" } as const;
  const server = createServer(options, (socket: TLSSocket) => {
    socket.on("data", (chunk: Buffer) => meter.count(chunk.length)).on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  serve({
    port: () => (server.address() as AddressInfo).port,
    measure: ({ durationMs }: { durationMs: number }) => meter.measure(durationMs),
    /** Resolves with how long it took to take in so many bytes from the call on. */
    take: async ({ sizeBytes }: { sizeBytes: number }) => {
      const [startMs, endBytes] = [performance.now(), meter.bytes + sizeBytes];
      while (meter.bytes < endBytes) await new Promise((resolve) => setTimeout(resolve, 1));
      return performance.now() - startMs;
    },
  });
}

async function clientEnd(port: number): Promise<void> {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const flow = new Flow(socket);
  serve({ send: () => flow.start(), stop: () => flow.stop() });
}

if (process.argv[2] === "server") await serveEnd();
else await clientEnd(Number(process.argv[3]));
