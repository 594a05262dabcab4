import { randomFillSync } from "node:crypto";
import type { RandomBytes } from "../crypto/crypto.js";

/** The operating system's randomness. */
export const systemRandom: RandomBytes = (sizeBytes) => randomFillSync(new Uint8Array(sizeBytes));
