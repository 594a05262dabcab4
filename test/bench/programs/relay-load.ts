/**
 * Both neighbours of a relay: sends frames in by one link and counts what comes out of the other, with so many bytes on the way at most.
 * For our relay both are nodes, with whole hellos and answers to pings.
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { Clock } from "../../../src/driver/clock.js";
import { nativeCrypto } from "../../../src/driver/native-crypto.js";
import { Overlay } from "../../../src/driver/overlay.js";
import { systemRandom } from "../../../src/driver/random.js";
import { Node } from "../../../src/node/node.js";
import { editHops, editSourceStep, writeDataHeader } from "../../../src/wire/data.js";
import { keyToName } from "../../../src/wire/name.js";
import { pause } from "../figures.js";
import { chunkOf, RawLink, RawReader } from "./raw-frames.js";
import { serve } from "./serve.js";

/** Less than what a queue of ours holds before it marks. */
const ON_THE_WAY_BYTES_MAX = 224 * 1024;
const WARM_UP_MS = 300;

const crypto = nativeCrypto();
const clock = new Clock();
const zeroMask = { generateMask: (mask: Buffer) => void mask.fill(0) };

class End {
  readonly identity = crypto.identityFromSeed(systemRandom(32));
  readonly key = this.identity.publicKey;
  readonly node = new Node(
    {
      crypto,
      identity: this.identity,
      random: systemRandom,
      network: "pinyon",
      leaf: true,
      storedEpoch: 0,
      wallMs: Date.now(),
    },
    clock.nowMs(),
  );
  readonly overlay = new Overlay({ node: this.node, timers: clock });
}

const source = new End();
const sink = new End();
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
await once(server, "listening");
/** What dialled the sink and was not taken yet. */
const accepted: WebSocket[] = [];
server.on("connection", (webSocket) => {
  webSocket.pause();
  accepted.push(webSocket);
});

/** A way through one relay. */
interface Way {
  readonly socket: Socket;
  readonly reader: RawReader;
  readonly mask: "zero" | "random";
  /** The port that the relay gave the sink; undefined for a relay without a mesh. */
  port: number | undefined;
}
const ways = new Map<string, Way>();

/** Dials a relay, which dials the sink. */
async function open({ kind, relayPort }: { kind: string; relayPort: number }): Promise<void> {
  const mask = kind === "bare" ? "random" : "zero";
  const near = new WebSocket(`ws://127.0.0.1:${relayPort}/`, {
    perMessageDeflate: false,
    ...(mask === "zero" ? zeroMask : {}),
  });
  await once(near, "open");
  const nearReader = new RawReader(near);
  if (kind === "ours") source.overlay.attach(new RawLink(near, nearReader, true));
  while (accepted.length === 0) await pause(10);
  const far = accepted.shift()!;
  const reader = new RawReader(far);
  if (kind === "ours") sink.overlay.attach(new RawLink(far, reader, false));
  far.resume();
  ways.set(kind, { socket: (near as unknown as { _socket: Socket })._socket, reader, mask, port: undefined });
}

function frameOf({ port }: Way, frameBytes: number): Uint8Array {
  const frame = new Uint8Array(frameBytes);
  if (port === undefined) return frame;
  // As the source's own node hands it on.
  writeDataHeader(frame, [1, port], new Uint8Array(8), sink.key);
  editSourceStep(frame, 0);
  editHops(frame);
  return frame;
}

/** Gives frames that came out of the relay a second, and how many there were in all. */
async function run({ kind, frameBytes, durationMs }: { kind: string; frameBytes: number; durationMs: number }) {
  const way = ways.get(kind)!;
  const { socket, reader } = way;
  const { chunk, frames } = chunkOf(frameOf(way, frameBytes), way.mask);
  const framesMax = Math.max(frames, Math.floor(ON_THE_WAY_BYTES_MAX / frameBytes));
  reader.countedBytes = frameBytes;
  reader.counted = 0;
  let sent = 0;
  reader.onCounted = () => {
    while (sent + frames - reader.counted <= framesMax) {
      sent += frames;
      socket.write(chunk);
    }
  };
  reader.onCounted();
  await pause(WARM_UP_MS);
  const [startMs, start] = [performance.now(), reader.counted];
  await pause(durationMs);
  const framesPerS = (1_000 * (reader.counted - start)) / (performance.now() - startMs);
  reader.onCounted = undefined;
  for (let last = -1; reader.counted > last && reader.counted < sent; await pause(100)) last = reader.counted;
  if (reader.counted < sent) throw new Error(`${sent - reader.counted} of ${sent} frames were lost by ${kind}`);
  return { framesPerS, frames: sent };
}

serve({
  sink: () => ({
    port: (server.address() as { port: number }).port,
    key: Buffer.from(sink.key).toString("hex"),
    name: keyToName(sink.key),
  }),
  open,
  setPort: ({ kind, port }: { kind: string; port: number }) => {
    ways.get(kind)!.port = port;
  },
  run,
});
