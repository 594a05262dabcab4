/** Sends back each WebSocket message that comes in. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { pause } from "../figures.js";
import { serve } from "./serve.js";

const MESSAGE = Buffer.alloc(1_024);
const SEND_OPTIONS = { binary: true } as const;

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data, SEND_OPTIONS)).on("error", () => {});
});
await once(server, "listening");
let client: WebSocket;

serve({
  port: () => (server.address() as AddressInfo).port,
  open: async ({ port }: { port: number }) => {
    client = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
    await once(client, "open");
  },
  /** Round trips of 1 KiB, in ms, the next one so long after the last. */
  latencies: async ({ count, gapMs }: { count: number; gapMs: number }) => {
    const latencies: number[] = [];
    for (let i = 0; i < count; i++) {
      const startMs = performance.now();
      client.send(MESSAGE, SEND_OPTIONS);
      await once(client, "message");
      latencies.push(performance.now() - startMs);
      await pause(gapMs);
    }
    return latencies;
  },
});
