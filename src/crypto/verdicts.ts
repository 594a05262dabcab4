import { LRUCache } from "lru-cache";
import { VERDICTS_MAX } from "./config.js";
import { type Crypto, KEY_BYTES, SIGNATURE_BYTES } from "./crypto.js";

/** Bytes of the hash that stand for a question: finding two questions with one hash costs 2^128. */
const QUESTION_BYTES = 32;

/** What a cache did since it was made. */
export interface VerdictStats {
  hits: number;
  misses: number;
  /** Verdicts forgotten for newer ones. */
  evictions: number;
}

/**
 * Remembers which signatures are valid. The same edges and locators come by many links, and a verdict depends on nothing but
 * (public key, signature, message), so one cache may serve many nodes: the simulator's share one.
 */
export class VerdictCache {
  readonly stats: VerdictStats = { hits: 0, misses: 0, evictions: 0 };
  readonly #crypto: Pick<Crypto, "hash" | "verify">;
  readonly #verdicts: LRUCache<string, boolean>;

  /** `max` verdicts are kept, the least recently used is forgotten first; a positive integer. */
  constructor(crypto: Pick<Crypto, "hash" | "verify">, options: { max?: number } = {}) {
    this.#crypto = crypto;
    this.#verdicts = new LRUCache({ max: options.max ?? VERDICTS_MAX });
  }

  /** Verdicts held now. */
  get size(): number {
    return this.#verdicts.size;
  }

  /** As `Crypto.verify`. Wrong sizes are refused without a place in the cache. */
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
    if (signature.length !== SIGNATURE_BYTES || publicKey.length !== KEY_BYTES) return false;
    const question = this.#questionOf(message, signature, publicKey);
    const known = this.#verdicts.get(question);
    if (known !== undefined) {
      this.stats.hits++;
      return known;
    }
    this.stats.misses++;
    if (this.#verdicts.size === this.#verdicts.max) this.stats.evictions++;
    const verdict = this.#crypto.verify(message, signature, publicKey);
    this.#verdicts.set(question, verdict);
    return verdict;
  }

  /** Key and signature have fixed sizes and the message comes last, so no two questions are hashed as the same bytes. */
  #questionOf(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): string {
    const bytes = new Uint8Array(KEY_BYTES + SIGNATURE_BYTES + message.length);
    bytes.set(publicKey);
    bytes.set(signature, KEY_BYTES);
    bytes.set(message, KEY_BYTES + SIGNATURE_BYTES);
    return String.fromCharCode(...this.#crypto.hash(bytes).subarray(0, QUESTION_BYTES));
  }
}
