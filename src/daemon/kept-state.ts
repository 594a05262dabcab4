import { join } from "node:path";
import { z } from "zod";
import type { StoredLocator } from "../router/locators.js";
import { EPOCH_MAX, KEY_BYTES, LOCATOR_BYTES_MAX, SIGNATURE_BYTES } from "../wire/limits.js";
import { KeptFile } from "./kept-file.js";
import { ADDED_PEERS_MAX, KEEP_LOCATORS_MS, KEPT_LOCATORS_MAX } from "./limits.js";
import { keyHex } from "./target.js";

const base64 = (bytesMax: number) => z.base64().max(Math.ceil(bytesMax / 3) * 4);
const EpochSchema = z.strictObject({ epoch: z.int().min(0).max(EPOCH_MAX) });
const LocatorsSchema = z
  .array(
    z.strictObject({ key: base64(KEY_BYTES), bytes: base64(LOCATOR_BYTES_MAX), signature: base64(SIGNATURE_BYTES) }),
  )
  .max(KEPT_LOCATORS_MAX);
const PeersSchema = z.array(z.string()).max(ADDED_PEERS_MAX);

/** What a node keeps for its next start: how far it has counted, where others were found, and the peers that were added. */
export class KeptState {
  readonly #epoch: KeptFile<z.output<typeof EpochSchema>>;
  readonly #locators: KeptFile<z.output<typeof LocatorsSchema>>;
  readonly #peers: KeptFile<string[]>;
  /** By key, the longest unchanged first. */
  readonly #found = new Map<string, StoredLocator>();
  #saving: NodeJS.Timeout | undefined;

  /** `warn` is told in a sentence what could not be read or written. */
  constructor(folder: string, warn: (text: string) => void) {
    this.#epoch = new KeptFile(join(folder, "epochs"), EpochSchema, { epoch: 0 }, warn);
    this.#locators = new KeptFile(join(folder, "locators"), LocatorsSchema, [], warn);
    this.#peers = new KeptFile(join(folder, "peers"), PeersSchema, [], warn);
  }

  /** The last epoch kept; 0 without one. */
  async loadEpoch(): Promise<number> {
    return (await this.#epoch.load()).epoch;
  }

  saveEpoch(epoch: number): void {
    this.#epoch.save({ epoch });
  }

  async loadLocators(): Promise<StoredLocator[]> {
    for (const { key, bytes, signature } of await this.#locators.load()) {
      const locator = { key: decode(key), bytes: decode(bytes), signature: decode(signature) };
      this.#found.set(keyHex(locator.key), locator);
    }
    return [...this.#found.values()];
  }

  /** Keeps a locator: soon, since they come often and are no great loss. */
  saveLocator(locator: StoredLocator): void {
    const id = keyHex(locator.key);
    this.#found.delete(id);
    this.#found.set(id, locator);
    for (const oldest of this.#found.keys()) {
      if (this.#found.size <= KEPT_LOCATORS_MAX) break;
      this.#found.delete(oldest);
    }
    this.#saving ??= setTimeout(() => this.#writeLocators(), KEEP_LOCATORS_MS);
  }

  /** The URIs of added peers. */
  loadPeers(): Promise<string[]> {
    return this.#peers.load();
  }

  savePeers(uris: string[]): void {
    this.#peers.save(uris);
  }

  /** Settles when all is on the disk. */
  async flush(): Promise<void> {
    if (this.#saving !== undefined) this.#writeLocators();
    await Promise.all([this.#epoch.written(), this.#locators.written(), this.#peers.written()]);
  }

  #writeLocators(): void {
    clearTimeout(this.#saving);
    this.#saving = undefined;
    this.#locators.save(
      [...this.#found.values()].map(({ key, bytes, signature }) => ({
        key: encode(key),
        bytes: encode(bytes),
        signature: encode(signature),
      })),
    );
  }
}

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function decode(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
