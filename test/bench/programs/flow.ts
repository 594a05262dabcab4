import type { Writable } from "node:stream";
import { pause } from "../figures.js";

const CHUNK = Buffer.alloc(64 * 1024, "bulk ");

/** Writes to a stream as fast as that takes it, from `start` to `stop`. */
export class Flow {
  #isOn = false;

  constructor(private readonly stream: Writable) {
    stream.on("drain", () => this.#pump()).on("error", () => {});
  }

  start(): void {
    this.#isOn = true;
    this.#pump();
  }

  stop(): void {
    this.#isOn = false;
  }

  #pump(): void {
    while (this.#isOn && this.stream.write(CHUNK));
  }
}

/** Counts what comes in. */
export class Meter {
  #bytes = 0;

  count(sizeBytes: number): void {
    this.#bytes += sizeBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes a second from now on. */
  async measure(durationMs: number): Promise<number> {
    const [startBytes, startMs] = [this.#bytes, performance.now()];
    await pause(durationMs);
    return (1_000 * (this.#bytes - startBytes)) / (performance.now() - startMs);
  }
}
