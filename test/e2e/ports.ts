import { createServer } from "node:net";

/** Why nothing can listen on a port of loopback; undefined where it can. */
export async function whyPortTaken(port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(`port ${port} is in use: end what listens there, or choose another`));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(undefined)));
  });
}
