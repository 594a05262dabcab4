import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { installOnce, run } from "../e2e/install.js";
import type { Bench } from "./benchmark.js";
import type { Stream } from "./bulk.js";
import { Worker } from "./worker.js";

/** What js-libp2p was in November 2026. */
const PACKAGES = {
  libp2p: "3.3.11",
  "@libp2p/tcp": "11.0.28",
  "@libp2p/identify": "4.1.14",
  "@libp2p/circuit-relay-v2": "4.2.13",
  "@chainsafe/libp2p-noise": "17.0.0",
  "@chainsafe/libp2p-yamux": "8.0.1",
  "@multiformats/multiaddr": "13.0.3",
} as const;

/** Two nodes of js-libp2p and a relay of theirs between them; rejects where the packages cannot be got. */
export async function openLibp2p(bench: Bench): Promise<Stream> {
  const folder = await installOnce(`libp2p-${PACKAGES.libp2p}`, bench.tell, async (folder) => {
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies: PACKAGES }));
    await run("npm", ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"]);
  });
  const start = (role: string, target: string) => Worker.start(bench, "libp2p-node", [folder, role, target]);
  const relay = await start("relay", "");
  const listener = await start("listener", await relay.ask("address"));
  const sender = await start("sender", await listener.ask("address"));
  await sender.ask("open");
  return { sender, measure: (durationMs) => listener.ask("measure", { durationMs }) };
}
