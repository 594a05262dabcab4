import { createHash } from "node:crypto";
import { Discovery } from "../../src/link/discovery.js";
import { realTimers } from "./timers.js";

/** One node's discovery as a process of its own, for tests in network namespaces: `discovery-node.js <key byte>`. */
const keyByte = Number(process.argv[2]);
const discovery = new Discovery({
  key: new Uint8Array(32).fill(keyByte),
  networkId: "namespaces",
  hash: (message) => createHash("sha512").update(message).digest(),
  port: 10_000 + keyByte,
  timers: realTimers,
  random: Math.random,
  limits: { interfacesIntervalMs: 500 },
  onPeer: ({ key, addresses, port }) => process.stdout.write(`${JSON.stringify({ key: key[0], addresses, port })}\n`),
});
discovery.start();
process.stdin.once("data", async () => {
  process.stdout.write(`${JSON.stringify({ status: discovery.status() })}\n`);
  await discovery.stop();
  process.exit();
});
