import { equalBytes, toHex } from "../wire/bytes.js";
import { locatorEpoch } from "../wire/locator.js";
import { Lru } from "./lru.js";
import type { PathStats } from "./path-stats.js";

/** A locator as its node signed it. */
export interface SignedLocator {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** A locator and whose it is: what is kept on disk. */
export interface StoredLocator extends SignedLocator {
  readonly key: Uint8Array;
}

/** The newest known locator of each key, the least recently used forgotten first. What is put in has been verified. */
export class Locators {
  readonly #locators: Lru<string, StoredLocator>;

  constructor(locatorsMax: number, stats: PathStats) {
    this.#locators = new Lru(locatorsMax, () => stats.locatorsEvicted++);
  }

  get(key: Uint8Array): SignedLocator | undefined {
    return this.#locators.get(toHex(key));
  }

  /** True where the very same locator is known, so that its signature needs no second look. */
  has(key: Uint8Array, locator: SignedLocator): boolean {
    const known = this.#locators.peek(toHex(key));
    return (
      known !== undefined && equalBytes(known.bytes, locator.bytes) && equalBytes(known.signature, locator.signature)
    );
  }

  /**
   * Takes a locator whose epoch is higher than that of the known one, or any that is fresh: that came with a reply to a probe, signed
   * over its nonce. So a node that lost its epochs is found again. Gives the copy that it keeps, undefined where
   * the known one stays.
   */
  put(key: Uint8Array, locator: SignedLocator, isFresh: boolean): StoredLocator | undefined {
    const id = toHex(key);
    const known = this.#locators.get(id);
    if (!isFresh && known !== undefined && locatorEpoch(known.bytes) >= locatorEpoch(locator.bytes)) return undefined;
    const stored = { key: key.slice(), bytes: locator.bytes.slice(), signature: locator.signature.slice() };
    this.#locators.set(id, stored);
    return stored;
  }

  /** All of them, the least recently used first: so `put` in this order restores them. */
  dump(): StoredLocator[] {
    return this.#locators.values();
  }
}
