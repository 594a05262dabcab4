import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { configPath } from "../../src/daemon/state-folder.js";
import { freePorts } from "../e2e/place.js";
import type { Benchmark } from "./benchmark.js";
import { makeNodes, startNodes } from "./mesh.js";
import { memoryBytes } from "./proc.js";
import { Worker } from "./worker.js";

const DOMAIN = "gateway.example";
/** HTTP/2 lets a gateway have a hundred streams to each. */
const NODES = 20;
const CONNECTIONS = 2_000;
const SETTLE_MS = 5_000;
/** All of them come from one address. */
const AMPLE = { streams: 1_000, sourceStreams: 10_000, sourceConnectsPerMinute: 100_000 };

/** What a gateway holds in memory for classic servers that say nothing. */
export const gatewayMemory: Benchmark = {
  lines: [
    {
      name: "memory-gateway",
      what: "memory of a gateway with 2,000 idle connections that pass through to 20 nodes",
      unit: "KiB a connection",
      target: { atMost: 64 },
    },
  ],

  async run(bench) {
    const [gateway] = await makeNodes(bench, { nodeCount: 1, edges: [] });
    const [port = 0] = await freePorts(1);
    const held = await Worker.start(bench, "held-nodes", [DOMAIN, String(NODES)]);
    const allow = await held.ask<string[]>("names");
    const file = configPath(gateway!.folder);
    const config = JSON.parse(readFileSync(file, "utf8"));
    const rules = { domain: DOMAIN, listen: [`127.0.0.1:${port}`], allow, ...AMPLE };
    writeFileSync(file, JSON.stringify({ ...config, gateway: rules }), { mode: 0o600 });
    await startNodes([gateway!]);
    const { listen } = await gateway!.status();
    await held.ask("link", { port: Number(listen[0]!.split(":").at(-1)) });
    const callers = await Worker.start(bench, "callers");
    const pid = gateway!.process!.pid!;
    // The first to each node makes a session: that is no cost of the connection.
    await callers.ask("call", { port, names: allow, count: NODES });
    await held.ask("await", { count: NODES });
    const beforeBytes = memoryBytes(pid);
    await callers.ask("call", { port, names: allow, count: CONNECTIONS - NODES });
    await held.ask("await", { count: CONNECTIONS });
    await sleep(SETTLE_MS);
    return { "memory-gateway": { ours: [(memoryBytes(pid) - beforeBytes) / (CONNECTIONS - NODES) / 1_024] } };
  },
};
