import { HASH_BYTES } from "../src/crypto/crypto.js";

const LANES = 8;

/**
 * A quick hash in the place of SHA-512, for the names under which the shared cache keeps its verdicts and for nothing else: every byte
 * counts, and nobody in the simulator searches for two messages with one hash. What is checked, is checked by the real signature.
 */
export function verdictHash(message: Uint8Array): Uint8Array {
  const lanes = new Uint32Array(HASH_BYTES / 4);
  for (let i = 0; i < LANES; i++) lanes[i] = 0x9e37_79b9 * (i + 1);
  for (let i = 0; i < message.length; i++) {
    const lane = i % LANES;
    lanes[lane] = Math.imul(lanes[lane]! ^ message[i]!, 0x0100_0193);
  }
  for (let round = 0; round < 2 * LANES; round++) {
    const lane = round % LANES;
    const next = (lane + 1) % LANES;
    lanes[next] = Math.imul(lanes[next]! ^ (lanes[lane]! >>> 15), 0x85eb_ca6b) + lanes[lane]!;
  }
  return new Uint8Array(lanes.buffer);
}
