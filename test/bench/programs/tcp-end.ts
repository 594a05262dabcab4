/** An end of plain TCP: `server <address>`, which counts what comes in, or `client <address> <port>`, which sends. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { Flow, Meter } from "./flow.js";
import { serve } from "./serve.js";

const [role, host = "", port] = process.argv.slice(2);

if (role === "server") {
  const meter = new Meter();
  const server = createServer((socket) => {
    socket.on("data", (chunk: Buffer) => meter.count(chunk.length)).on("error", () => {});
  });
  server.listen(0, host);
  await once(server, "listening");
  serve({
    port: () => (server.address() as AddressInfo).port,
    measure: ({ durationMs }: { durationMs: number }) => meter.measure(durationMs),
  });
} else {
  const socket = connect({ host, port: Number(port) });
  await once(socket, "connect");
  const flow = new Flow(socket);
  serve({ send: () => flow.start(), stop: () => flow.stop() });
}
