/** Takes listening sockets from its parent, and leads what comes there to where it is told, as it sees it. */
import { connect, type Server } from "node:net";
import { pipeline } from "node:stream";
import type { Outlook } from "./window.js";

process.on("message", (outlook: Outlook, server: Server) => {
  server.on("connection", (socket) => {
    const there = connect(outlook);
    pipeline(socket, there, socket, () => {});
  });
  process.send!(outlook);
});
process.on("disconnect", () => process.exit());
