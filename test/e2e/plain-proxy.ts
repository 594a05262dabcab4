import { connect, createServer, type Server, type Socket } from "node:net";

/** Longest first line of a request that is read. */
const LINE_BYTES_MAX = 65_536;

/**
 * Joins Synapses without any overlay: a listener on loopback that takes what `outbound_federation_restricted_to` hands over and passes it
 * on to the plain listener of the server it names; `ports` has those by name. While `node` gives the port of a node, all goes there as it
 * came. What the mesh costs is measured by turns.
 */
export async function startPlainProxy(
  port: number,
  ports: ReadonlyMap<string, number>,
  node: () => number | undefined,
): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    serve(socket, (line) => {
      const nodePort = node();
      if (nodePort !== undefined) return { port: nodePort, line };
      const [, method, name = "", path] = /^([A-Z]+) matrix-federation:\/\/([^/]+)(\/\S*) HTTP\/1\.1$/.exec(line) ?? [];
      return { port: ports.get(name), line: `${method} ${path} HTTP/1.1` };
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  return server;
}

/** Where a request goes, and the line that it begins with there. */
type Choose = (line: string) => { readonly port: number | undefined; readonly line: string };

/** One request on each connection: once its first line is read, both directions are passed on as they come. */
function serve(socket: Socket, choose: Choose): void {
  let seen = Buffer.alloc(0);
  const read = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    const lineEnd = seen.indexOf("\r\n");
    if (lineEnd < 0 && seen.length < LINE_BYTES_MAX) return;
    socket.off("data", read).pause();
    const { port, line } = choose(seen.subarray(0, Math.max(0, lineEnd)).toString("latin1"));
    if (port === undefined) return void socket.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    const target = connect(port, "127.0.0.1");
    target.on("error", () => socket.destroy());
    socket.on("error", () => target.destroy());
    for (const side of [socket, target]) side.setNoDelay(true);
    target.write(Buffer.concat([Buffer.from(line, "latin1"), seen.subarray(lineEnd)]));
    socket.pipe(target).pipe(socket);
  };
  socket.on("data", read);
}
