/**
 * A relay of WebSocket messages without a mesh: takes one connection, dials `ws://127.0.0.1:<port>/`, and passes on what comes, both ways.
 * `bare` is what one writes first, with the library's defaults; `best` is what such a relay can do: zero masks, one write for each chunk
 * received, back-pressure.
 */
import type { Socket } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { serve } from "./serve.js";

const BUFFERED_BYTES_MAX = 1024 * 1024;
const SEND_OPTIONS = { binary: true } as const;

const isBest = process.argv[2] === "best";
const target = Number(process.argv[3]);

function socketBelow(webSocket: WebSocket): Socket {
  return (webSocket as unknown as { _socket: Socket })._socket;
}

function passBare(from: WebSocket, to: WebSocket): void {
  from.on("message", (data) => to.send(data, SEND_OPTIONS));
}

function passBest(from: WebSocket, to: WebSocket): void {
  const socket = socketBelow(to);
  let isCorked = false;
  const uncork = () => {
    isCorked = false;
    socket.uncork();
  };
  from.on("message", (data) => {
    if (!isCorked) {
      isCorked = true;
      socket.cork();
      process.nextTick(uncork);
    }
    to.send(data, SEND_OPTIONS);
    if (to.bufferedAmount > BUFFERED_BYTES_MAX) from.pause();
  });
  socket.on("drain", () => from.resume());
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (near) => {
  const masks = isBest ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {};
  const far = new WebSocket(`ws://127.0.0.1:${target}/`, { perMessageDeflate: false, ...masks });
  near.pause();
  far.once("open", () => {
    const pass = isBest ? passBest : passBare;
    pass(near, far);
    pass(far, near);
    near.resume();
  });
  for (const end of [near, far]) end.on("error", () => {}).on("close", () => process.exit());
});
server.once("listening", () => serve({ port: () => (server.address() as { port: number }).port }));
