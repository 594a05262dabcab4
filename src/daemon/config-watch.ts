import { type Stats, unwatchFile, watchFile } from "node:fs";
import type { Config } from "./config.js";
import { readConfig } from "./config-file.js";
import { messageOf } from "./errors.js";
import { CONFIG_LOOK_MS } from "./limits.js";
import type { Log } from "./logs.js";

/**
 * Reads the config file again when it has changed, or a person asks. A file with faults changes nothing. It is looked at by its time, which
 * sees also a file that was put in its place, and on every file system.
 */
export class ConfigWatch {
  /** Times that it was read again, and times that it could not be used. */
  reloads = 0;
  failures = 0;
  /** What is wrong with the file now; undefined: nothing that is known. */
  fault: string | undefined;
  #settling: NodeJS.Timeout | undefined;
  readonly #handleChange = (now: Stats, before: Stats): void => {
    if (now.mtimeMs === before.mtimeMs && now.ino === before.ino) return;
    // Who writes it may be in the middle of that.
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.reload(), CONFIG_LOOK_MS).unref();
  };

  constructor(
    /** Undefined: there is none. */
    private readonly file: string | undefined,
    private readonly log: Log,
    private readonly onConfig: (config: Config) => void,
  ) {}

  start(): void {
    if (this.file === undefined) return;
    watchFile(this.file, { interval: CONFIG_LOOK_MS, persistent: false }, this.#handleChange);
  }

  stop(): void {
    clearTimeout(this.#settling);
    if (this.file !== undefined) unwatchFile(this.file, this.#handleChange);
  }

  /** Reads it now. */
  reload(): void {
    if (this.file === undefined) return;
    try {
      this.onConfig(readConfig(this.file));
      this.reloads++;
      this.fault = undefined;
      this.log.info({ file: this.file }, "lists and quotas of exit and gateway read again");
    } catch (error) {
      this.failures++;
      this.fault = `the config file has changed and cannot be used, so what it said before holds: ${messageOf(error)}`;
      this.log.error({ file: this.file }, this.fault);
    }
  }
}
