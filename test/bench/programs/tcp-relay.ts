/** Passes on what comes over TCP to a port of loopback, both ways, without a look at it. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { serve } from "./serve.js";

const target = Number(process.argv[2]);
const server = createServer({ noDelay: true }, (near) => {
  const far = connect({ host: "127.0.0.1", port: target, noDelay: true });
  for (const end of [near, far]) end.on("error", () => {});
  near.pipe(far).pipe(near);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
serve({ port: () => (server.address() as AddressInfo).port });
