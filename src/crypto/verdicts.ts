import { LRUCache } from "lru-cache";
import { VERDICTS_MAX } from "./config.js";
import { type Crypto, KEY_BYTES, SIGNATURE_BYTES } from "./crypto.js";

/** Bytes of the hash that stand for a question: finding two questions with one hash costs 2^128. */
const QUESTION_BYTES = 32;

/** What a question is about. Its first byte, so that no question of one kind has the bytes of another. */
export const QuestionKind = { SIGNATURE: Uint8Array.of(0), EDGE: Uint8Array.of(1) } as const;
export type QuestionKind = (typeof QuestionKind)[keyof typeof QuestionKind];

/** A short text for a question: two questions have the same only where their parts, put together, are the same bytes. */
export type QuestionName = (...parts: readonly Uint8Array[]) => string;

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
  readonly #nameOf: QuestionName;
  readonly #verdicts: LRUCache<string, boolean>;

  /** `max` verdicts are kept, the least recently used is forgotten first; a positive integer. `nameOf` is SHA-512 by default. */
  constructor(crypto: Pick<Crypto, "hash" | "verify">, options: { max?: number; nameOf?: QuestionName } = {}) {
    this.#crypto = crypto;
    this.#nameOf = options.nameOf ?? ((...parts) => this.#hashOf(parts));
    this.#verdicts = new LRUCache({ max: options.max ?? VERDICTS_MAX });
  }

  /** Verdicts held now. */
  get size(): number {
    return this.#verdicts.size;
  }

  /** As `Crypto.verify`. Wrong sizes are refused without a place in the cache. */
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
    if (signature.length !== SIGNATURE_BYTES || publicKey.length !== KEY_BYTES) return false;
    const judge = () => this.#crypto.verify(message, signature, publicKey);
    // Key and signature have fixed sizes and the message comes last, so no two questions are the same bytes.
    return this.decide(judge, QuestionKind.SIGNATURE, publicKey, signature, message);
  }

  /**
   * What `judge` says, once: its verdict must depend on nothing but the kind of the question and `parts`, all of which but the last have
   * a fixed size under that kind.
   */
  decide(judge: () => boolean, kind: QuestionKind, ...parts: readonly Uint8Array[]): boolean {
    const question = this.#nameOf(kind, ...parts);
    const known = this.#verdicts.get(question);
    if (known !== undefined) {
      this.stats.hits++;
      return known;
    }
    this.stats.misses++;
    const verdict = judge();
    if (this.#verdicts.size === this.#verdicts.max) this.stats.evictions++;
    this.#verdicts.set(question, verdict);
    return verdict;
  }

  #hashOf(parts: readonly Uint8Array[]): string {
    const question = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let offset = 0;
    for (const part of parts) {
      question.set(part, offset);
      offset += part.length;
    }
    return String.fromCharCode(...this.#crypto.hash(question).subarray(0, QUESTION_BYTES));
  }
}
