import { connect, createServer, type Server, type Socket } from "node:net";

/** Longest head of a request that is read. */
const HEAD_BYTES_MAX = 65_536;

/**
 * Joins Synapses without any overlay: a listener on loopback that takes what `outbound_federation_restricted_to` hands over and passes
 * it on to the plain listener of the server it names. What the mesh costs is measured beside this.
 */
export async function startPlainProxy(port: number, ports: ReadonlyMap<string, number>): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    serve(socket, ports);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  return server;
}

/** One request on each connection: once its first line is rewritten, both directions are passed on as they come. */
function serve(socket: Socket, ports: ReadonlyMap<string, number>): void {
  let seen = Buffer.alloc(0);
  const read = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    const lineEnd = seen.indexOf("\r\n");
    if (lineEnd < 0 && seen.length < HEAD_BYTES_MAX) return;
    socket.off("data", read).pause();
    const line = seen.subarray(0, Math.max(0, lineEnd)).toString("latin1");
    const [, method, name = "", path] = /^([A-Z]+) matrix-federation:\/\/([^/]+)(\/\S*) HTTP\/1\.1$/.exec(line) ?? [];
    const targetPort = ports.get(name);
    if (targetPort === undefined) return void socket.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    const target = connect(targetPort, "127.0.0.1");
    target.on("error", () => socket.destroy());
    socket.on("error", () => target.destroy());
    target.setNoDelay(true);
    socket.setNoDelay(true);
    target.write(`${method} ${path} HTTP/1.1`);
    target.write(seen.subarray(lineEnd));
    socket.pipe(target).pipe(socket);
  };
  socket.on("data", read);
}
