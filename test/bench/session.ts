/**
 * What one session carries with both of its ends in one process and virtual time, against the bare sealing and opening of the same
 * bytes: `node build/test/bench/session.js [megabytes] [packet bytes]`.
 */
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { TRANSPORT_OVERHEAD_BYTES } from "../../src/session/packet.js";
import { Pair } from "../pair.js";

const sizeBytes = Number(process.argv[2] ?? 200) * 1e6;
const packetBytes = Number(process.argv[3] ?? 1_200);

/** Seconds that `work` takes. */
function seconds(work: () => void): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function bareCrypto(): number {
  const crypto = nativeCrypto();
  const key = new Uint8Array(32);
  const nonce = new Uint8Array(12);
  const header = new Uint8Array(12);
  const frames = new Uint8Array(packetBytes - TRANSPORT_OVERHEAD_BYTES);
  const sealed = new Uint8Array(frames.length + 16);
  return seconds(() => {
    for (let sent = 0; sent < sizeBytes; sent += frames.length) {
      crypto.seal(key, nonce, header, frames, sealed);
      crypto.open(key, nonce, header, sealed, frames);
    }
  });
}

/** A way of 1 Gbit/s and 2 ms there and back that marks when its queue is 4 ms long. */
function throughSession(): number {
  const config = { packetBytes, packetBytesMax: packetBytes };
  const pair = Pair.connected({ a: { config }, b: { config } });
  for (const way of pair.ways) Object.assign(way, { latencyMs: 1, bytesPerMs: 125_000, markAboveMs: 4 });
  pair.b.keepsBytes = false;
  return seconds(() => {
    pair.a.send(0, new Uint8Array(sizeBytes), pair.nowMs, true);
    pair.flush();
    pair.driveUntil(() => pair.b.receivedBytes[0] === sizeBytes);
  });
}

bareCrypto();
const bareS = bareCrypto();
const sessionS = throughSession();
const rate = (s: number) => `${(sizeBytes / 1e6 / s).toFixed(0)} MB/s`;
console.log(`packets of ${packetBytes} bytes: seal and open ${rate(bareS)}, a session ${rate(sessionS)}`);
console.log(`ratio ${(bareS / sessionS).toFixed(2)}`);
