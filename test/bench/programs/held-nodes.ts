/**
 * Nodes in one process that take what a gateway brings and say nothing. Its arguments are the domain of their names, and how many there are.
 */
import { once } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import { WebSocket } from "ws";
import { Clock } from "../../../src/driver/clock.js";
import { HttpPeer } from "../../../src/driver/http-peer.js";
import { nativeCrypto } from "../../../src/driver/native-crypto.js";
import { Overlay } from "../../../src/driver/overlay.js";
import { systemRandom } from "../../../src/driver/random.js";
import { Node } from "../../../src/node/node.js";
import { keyToName } from "../../../src/wire/name.js";
import { pause } from "../figures.js";
import { RawLink, RawReader } from "./raw-frames.js";
import { serve } from "./serve.js";

const [domain = "", count = ""] = process.argv.slice(2);
const AWAIT_MS = 60_000;

const crypto = nativeCrypto();
const clock = new Clock();
const identities = Array.from({ length: Number(count) }, () => crypto.identityFromSeed(systemRandom(32)));
const names = identities.map(({ publicKey }) => keyToName(publicKey, domain));
let held = 0;

function hold(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200 });
  stream.resume();
  held++;
}

/** Resolves when the link of a node is up. */
function link(port: number, number: number): Promise<unknown> {
  const [identity, name] = [identities[number]!, names[number]!];
  const common = { crypto, identity, random: systemRandom, network: "pinyon" };
  const node = new Node({ ...common, storedEpoch: 0, wallMs: Date.now() }, clock.nowMs());
  return new Promise((resolve) => {
    const overlay = new Overlay({
      node,
      timers: clock,
      onLinkUp: resolve,
      onSession: (session) => new HttpPeer(session, { name, timers: clock, handler: hold }),
    });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, {
      perMessageDeflate: false,
      generateMask: (mask) => void mask.fill(0),
    });
    once(socket, "open").then(() => overlay.attach(new RawLink(socket, new RawReader(socket), true)));
  });
}

serve({
  names: () => names,
  link: ({ port }: { port: number }) => Promise.all(names.map((_name, number) => link(port, number))),
  /** Resolves when so many connections are held. */
  await: async ({ count }: { count: number }) => {
    for (const endMs = performance.now() + AWAIT_MS; held < count; await pause(20)) {
      if (performance.now() > endMs) throw new Error(`${held} of ${count} connections came`);
    }
  },
});
