import type { Bench } from "./benchmark.js";
import { Worker } from "./worker.js";

/** TLS 1.3 from end to end through a relay that sees none of it: what two ends and a relay can do at most. */
export async function openTls(bench: Bench): Promise<{ client: Worker; server: Worker }> {
  const server = await Worker.start(bench, "tls-end", ["server"]);
  const relay = await Worker.start(bench, "tcp-relay", [String(await server.ask("port"))]);
  const client = await Worker.start(bench, "tls-end", ["client", String(await relay.ask("port"))]);
  return { client, server };
}
