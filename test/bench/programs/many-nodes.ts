/** Many nodes in one process, each with one link to the same relay. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { Clock } from "../../../src/driver/clock.js";
import { nativeCrypto } from "../../../src/driver/native-crypto.js";
import { Overlay } from "../../../src/driver/overlay.js";
import { systemRandom } from "../../../src/driver/random.js";
import { Node } from "../../../src/node/node.js";
import { pause } from "../figures.js";
import { RawLink, RawReader } from "./raw-frames.js";
import { serve } from "./serve.js";

/** Fewer than a relay takes from one source address. */
const LINKS_PER_SOURCE = 100;
/** A relay takes a hundred hellos a second. */
const LINK_GAP_MS = 12;

const crypto = nativeCrypto();
const clock = new Clock();

/** Resolves when the link is up. */
function link(port: number, number: number): Promise<unknown> {
  const identity = crypto.identityFromSeed(systemRandom(32));
  const common = { crypto, identity, random: systemRandom, network: "pinyon", leaf: true };
  const node = new Node({ ...common, storedEpoch: 0, wallMs: Date.now() }, clock.nowMs());
  return new Promise((resolve) => {
    const overlay = new Overlay({ node, timers: clock, onLinkUp: resolve });
    // All of 127.0.0.0/8 is this host.
    const localAddress = `127.0.1.${1 + Math.floor(number / LINKS_PER_SOURCE)}`;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, {
      perMessageDeflate: false,
      localAddress,
      generateMask: (mask) => void mask.fill(0),
    });
    once(socket, "open").then(() => overlay.attach(new RawLink(socket, new RawReader(socket), true)));
  });
}

serve({
  link: async ({ port, count }: { port: number; count: number }) => {
    const links: Promise<unknown>[] = [];
    for (let number = 0; number < count; number++) {
      links.push(link(port, number));
      await pause(LINK_GAP_MS);
    }
    await Promise.all(links);
  },
});
