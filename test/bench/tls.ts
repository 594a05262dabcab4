import type { Bench } from "./benchmark.js";
import type { Stream } from "./bulk.js";
import { Worker } from "./worker.js";

/** TLS 1.3 from end to end through a relay that sees none of it: what two ends and a relay can do at most. */
export async function openTls(bench: Bench): Promise<Stream & { server: Worker }> {
  const server = await Worker.start(bench, "tls-end", ["server"]);
  const relay = await Worker.start(bench, "tcp-relay", [String(await server.ask("port"))]);
  const sender = await Worker.start(bench, "tls-end", ["client", String(await relay.ask("port"))]);
  return { sender, server, measure: (durationMs) => server.ask("measure", { durationMs }) };
}
