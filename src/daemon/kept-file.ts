import { readFile, rename } from "node:fs/promises";
import type { z } from "zod";
import { writeAtomic } from "./atomic-file.js";
import { messageOf, systemCode } from "./errors.js";

/**
 * A value that outlives the process, in one JSON file. Writes go one after the other; of those that wait for one to end only
 * the last is made. What is damaged is moved aside: none of these values is needed to start.
 */
export class KeptFile<T> {
  #next: T | undefined;
  #writing: Promise<void> | undefined;

  constructor(
    readonly path: string,
    private readonly schema: z.ZodType<T>,
    private readonly empty: T,
    /** Told in one sentence what went wrong; the node goes on. */
    private readonly warn: (text: string) => void,
  ) {}

  /** The value as it was last written, or the empty one. */
  async load(): Promise<T> {
    let text: string;
    try {
      text = await readFile(this.path, "utf8");
    } catch (error) {
      if (systemCode(error) !== "ENOENT") this.warn(`${this.path}: cannot be read: ${messageOf(error)}`);
      return this.empty;
    }
    try {
      return this.schema.parse(JSON.parse(text));
    } catch {
      const aside = `${this.path}.damaged-${Date.now()}`;
      await rename(this.path, aside);
      this.warn(`${this.path}: damaged; moved to ${aside}, the node goes on without it`);
      return this.empty;
    }
  }

  /** Writes `value` soon. */
  save(value: T): void {
    this.#next = value;
    this.#writing ??= this.#writeAll();
  }

  /** Settles when all that was saved is on the disk, or has failed. */
  async written(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#next !== undefined) {
      const value = this.#next;
      this.#next = undefined;
      try {
        await writeAtomic(this.path, `${JSON.stringify(value)}\n`);
      } catch (error) {
        this.warn(`${this.path}: cannot be written: ${messageOf(error)}`);
      }
    }
    this.#writing = undefined;
  }
}
