/** Classic servers that begin TLS with a gateway, each for one of some names, and say no more. */
import { once } from "node:events";
import { connect } from "node:net";
import { clientHello } from "../../federation/hellos.js";
import { pause } from "../figures.js";
import { serve } from "./serve.js";

const GAP_MS = 3;
let calls = 0;

serve({
  call: async ({ port, names, count }: { port: number; names: readonly string[]; count: number }) => {
    const hellos = await Promise.all(names.map((servername) => clientHello({ servername })));
    for (let call = 0; call < count; call++, await pause(GAP_MS)) {
      const socket = connect({ port, host: "127.0.0.1" }).on("error", () => {});
      await once(socket, "connect");
      socket.write(hellos[calls++ % hellos.length]!);
    }
  },
});
