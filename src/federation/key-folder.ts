import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isServerName } from "../wire/name.js";
import { KEY_FILES_MAX, KEY_RESPONSE_BYTES_MAX } from "./config.js";
import type { FederationStats } from "./stats.js";

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** No server name begins with a dot. */
const TEMPORARY = ".new";

/**
 * Key responses in a folder: a file a server, under its name, at most `KEY_FILES_MAX`; the one that was written first goes,
 * counted. A name that is no server name of the overlay has no file, so no name leads out of the folder. Nothing waits for the
 * disk: what a power cut damages is found when it is verified, and asked for again.
 */
export class KeyFolder {
  /** Names that have a file, the one written first at the front. */
  readonly #names = new Set<string>();
  /** Writes go one after the other. */
  #lastWrite: Promise<void> = Promise.resolve();

  private constructor(
    readonly path: string,
    private readonly stats: FederationStats,
    private readonly filesMax: number,
  ) {}

  /** Makes the folder where it is missing. Rejects where it can be neither made nor read. */
  static async open(path: string, stats: FederationStats, filesMax: number = KEY_FILES_MAX): Promise<KeyFolder> {
    await mkdir(path, { recursive: true, mode: FOLDER_MODE });
    const folder = new KeyFolder(path, stats, filesMax);
    const found: { name: string; writtenMs: number }[] = [];
    for (const name of await readdir(path)) {
      if (isServerName(name)) found.push({ name, writtenMs: (await stat(join(path, name))).mtimeMs });
    }
    for (const { name } of found.sort((a, b) => a.writtenMs - b.writtenMs)) folder.#names.add(name);
    await folder.#evict();
    return folder;
  }

  /** The text of `name`; undefined where there is none, or none that can be read, counted. */
  async read(name: string): Promise<string | undefined> {
    if (!this.#names.has(name)) return undefined;
    try {
      const path = join(this.path, name);
      if ((await stat(path)).size > KEY_RESPONSE_BYTES_MAX) throw new Error("longer than what is kept");
      return await readFile(path, "utf8");
    } catch {
      this.stats.keyFileErrors++;
      return undefined;
    }
  }

  /** Replaces the text of `name` whole. Rejects, counted, where it cannot be kept. */
  async write(name: string, text: string): Promise<void> {
    if (!isServerName(name)) throw new TypeError(`no server name: ${name}`);
    const write = this.#lastWrite.then(() => this.#replace(name, text));
    this.#lastWrite = write.catch(() => {
      this.stats.keyFileErrors++;
    });
    await write;
  }

  async #replace(name: string, text: string): Promise<void> {
    const temporary = join(this.path, TEMPORARY);
    await writeFile(temporary, text, { mode: FILE_MODE });
    await rename(temporary, join(this.path, name));
    this.#names.delete(name);
    this.#names.add(name);
    await this.#evict();
  }

  async #evict(): Promise<void> {
    for (const name of this.#names) {
      if (this.#names.size <= this.filesMax) return;
      this.#names.delete(name);
      await rm(join(this.path, name), { force: true });
      this.stats.keyResponseEvictions++;
    }
  }
}
