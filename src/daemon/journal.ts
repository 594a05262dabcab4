import { createReadStream } from "node:fs";
import { appendFile, open, rename } from "node:fs/promises";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { Use } from "../federation/use.js";
import { FILE_MODE } from "./atomic-file.js";
import { messageOf, systemCode } from "./errors.js";
import { JOURNAL_BYTES_MAX, JOURNAL_MS, JOURNAL_PENDING_MAX, REPORTED_USES_MAX } from "./limits.js";

const UseSchema = z.strictObject({
  way: z.enum(["exit", "gateway"]),
  key: z.string(),
  host: z.string(),
  address: z.string().optional(),
  port: z.int(),
  beganMs: z.number(),
  sizeBytes: z.int(),
  tookMs: z.number(),
}) satisfies z.ZodType<Use>;

/** Which uses are asked for: those of one way, at any moment between the two. */
export interface UseQuery {
  readonly way: Use["way"];
  /** A host, and those below it, or an address; undefined: any. */
  readonly host: string | undefined;
  /** A key in hex; undefined: any. */
  readonly key: string | undefined;
  /** On the wall's clock. */
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** What a journal says. */
export interface UsesFound {
  /** All that are asked for. */
  readonly count: number;
  /** The latest of them, `REPORTED_USES_MAX` at most, in the order in which they ended. */
  readonly uses: readonly Use[];
}

/**
 * Who used this node as exit or gateway, where and when, for whoever has to answer for its address; never what passed. A line of JSON for each
 * use, in two files: the second takes the place of the first when that is full or `JOURNAL_MS` old, so that neither disk nor memory of people
 * grows without end.
 */
export class Journal {
  /** Uses that could not be written down. */
  errors = 0;
  readonly #old: string;
  #pending: string[] = [];
  #writing: Promise<void> | undefined;
  /** Of the file, once it was looked at. */
  #sizeBytes: number | undefined;
  #firstMs = 0;

  constructor(
    private readonly path: string,
    private readonly wallMs: () => number,
    /** Told in one sentence what went wrong. */
    private readonly warn: (text: string) => void,
  ) {
    this.#old = `${path}.old`;
  }

  /** Writes a use down soon. */
  append(use: Use): void {
    if (this.#pending.length >= JOURNAL_PENDING_MAX) {
      this.errors++;
      return;
    }
    this.#pending.push(`${JSON.stringify(use)}\n`);
    this.#writing ??= this.#writeAll();
  }

  /** Settles when all is on the disk, or has failed. */
  async written(): Promise<void> {
    await this.#writing;
  }

  async find(query: UseQuery): Promise<UsesFound> {
    await this.written();
    let count = 0;
    let uses: Use[] = [];
    for await (const use of this.#uses()) {
      if (!isAsked(use, query)) continue;
      count++;
      uses.push(use);
      if (uses.length >= 2 * REPORTED_USES_MAX) uses = uses.slice(-REPORTED_USES_MAX);
    }
    return { count, uses: uses.slice(-REPORTED_USES_MAX) };
  }

  async *#uses(): AsyncGenerator<Use> {
    for (const path of [this.#old, this.path]) {
      try {
        for await (const line of createInterface({ input: createReadStream(path, "utf8") })) {
          const use = parseUse(line);
          if (use !== undefined) yield use;
        }
      } catch (error) {
        if (systemCode(error) !== "ENOENT") throw error;
      }
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const lines = this.#pending;
      this.#pending = [];
      try {
        await this.#write(lines.join(""));
      } catch (error) {
        if (this.errors === 0) this.warn(`${this.path}: cannot be written: ${messageOf(error)}`);
        this.errors += lines.length;
      }
    }
    this.#writing = undefined;
  }

  async #write(text: string): Promise<void> {
    this.#sizeBytes ??= await this.#look();
    const isOld = this.#sizeBytes > 0 && this.wallMs() - this.#firstMs > JOURNAL_MS;
    if (isOld || this.#sizeBytes + text.length > JOURNAL_BYTES_MAX) {
      await rename(this.path, this.#old).catch((error: unknown) => {
        if (systemCode(error) !== "ENOENT") throw error;
      });
      this.#sizeBytes = 0;
    }
    if (this.#sizeBytes === 0) this.#firstMs = this.wallMs();
    await appendFile(this.path, text, { mode: FILE_MODE });
    this.#sizeBytes += text.length;
  }

  /** The size of the file that a former process left, whose last line may have no end. */
  async #look(): Promise<number> {
    const file = await open(this.path, "a+", FILE_MODE);
    try {
      const { size } = await file.stat();
      if (size === 0) return 0;
      const head = Buffer.alloc(4_096);
      const { bytesRead } = await file.read(head, 0, head.length, 0);
      this.#firstMs = parseUse(head.toString("utf8", 0, bytesRead).split("\n")[0] ?? "")?.beganMs ?? this.wallMs();
      const last = Buffer.alloc(1);
      await file.read(last, 0, 1, size - 1);
      if (last.toString() === "\n") return size;
      await file.appendFile("\n");
      return size + 1;
    } finally {
      await file.close();
    }
  }
}

function parseUse(line: string): Use | undefined {
  try {
    return UseSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** True for a use that was under way at some moment of those asked for. */
export function isAsked(use: Use, { way, host, key, sinceMs, untilMs }: UseQuery): boolean {
  const isThen = use.beganMs <= untilMs && use.beganMs + use.tookMs >= sinceMs;
  const isThere = host === undefined || use.host === host || use.host.endsWith(`.${host}`) || use.address === host;
  return use.way === way && isThen && isThere && (key === undefined || use.key === key);
}
