/**
 * A node of js-libp2p with Noise and yamux over TCP: `relay`, `listener <relay address>` which counts what comes in, or
 * `sender <listener address>`. The folder that holds the packages comes first.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { pause } from "../figures.js";
import { Meter } from "./flow.js";
import { serve } from "./serve.js";

const [folder = "", role, target = ""] = process.argv.slice(2);
const PROTOCOL = "/bench/1";
const CHUNK = new Uint8Array(64 * 1024);

// biome-ignore lint/suspicious/noExplicitAny: packages that are no dependency have no types here.
type Package = any;
/** The packages are ES modules, of no folder above this file: each is found by its own manifest. */
function load(name: string): Promise<Package> {
  const inPackages = join(folder, "node_modules", name);
  const manifest = JSON.parse(readFileSync(join(inPackages, "package.json"), "utf8"));
  return import(pathToFileURL(join(inPackages, manifest.exports["."].import)).href);
}

// The packages want a newer Node than 20 for nothing else.
(Promise as Package).withResolvers ??= () => {
  const made: Package = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

const { createLibp2p } = await load("libp2p");
const { tcp } = await load("@libp2p/tcp");
const { noise } = await load("@chainsafe/libp2p-noise");
const { yamux } = await load("@chainsafe/libp2p-yamux");
const { identify } = await load("@libp2p/identify");
const { circuitRelayServer, circuitRelayTransport } = await load("@libp2p/circuit-relay-v2");
const { multiaddr } = await load("@multiformats/multiaddr");

const isRelay = role === "relay";
const listen = isRelay ? ["/ip4/127.0.0.1/tcp/0"] : role === "listener" ? [`${target}/p2p-circuit`] : [];
const node = await createLibp2p({
  addresses: { listen },
  transports: [tcp(), ...(isRelay ? [] : [circuitRelayTransport()])],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    ...(isRelay ? { relay: circuitRelayServer({ reservations: { applyDefaultLimit: false } }) } : {}),
  },
});

const meter = new Meter();
const options = { runOnLimitedConnection: true };
await node.handle(
  PROTOCOL,
  async (stream: Package) => {
    for await (const chunk of stream) meter.count(chunk.byteLength);
  },
  options,
);

let stream: Package;
let isOn = false;

function pump(): void {
  while (isOn && stream.send(CHUNK));
}

serve({
  address: async () => {
    for (;;) {
      const address = node.getMultiaddrs().find((one: Package) => isRelay || String(one).includes("p2p-circuit"));
      if (address !== undefined) return String(address);
      await pause(50);
    }
  },
  open: async () => {
    stream = await node.dialProtocol(multiaddr(target), PROTOCOL, options);
    stream.addEventListener("drain", pump);
  },
  send: () => {
    isOn = true;
    pump();
  },
  stop: () => {
    isOn = false;
  },
  measure: ({ durationMs }: { durationMs: number }) => meter.measure(durationMs),
});
