import { LRUCache } from "lru-cache";

/**
 * A map that forgets the least recently used of more than `countMax` entries, which must be at least one. The cache is made at the
 * first use, and counts entries as sizes, as `max` would take their room at once: a node has eleven such maps, most of them empty.
 */
export class Lru<K extends {}, V extends {}> {
  #cache: LRUCache<K, V> | undefined;

  constructor(
    private readonly countMax: number,
    private readonly onEvict: ((value: V) => void) | undefined = undefined,
  ) {}

  get size(): number {
    return this.#cache?.size ?? 0;
  }

  /** The value, which counts as used. */
  get(key: K): V | undefined {
    return this.#cache?.get(key);
  }

  /** The value, which does not count as used. */
  peek(key: K): V | undefined {
    return this.#cache?.peek(key);
  }

  set(key: K, value: V): void {
    this.#cache ??= new LRUCache<K, V>({
      maxSize: this.countMax,
      sizeCalculation: () => 1,
      dispose: (evicted, _key, why) => {
        if (why === "evict") this.onEvict?.(evicted);
      },
    });
    this.#cache.set(key, value);
  }

  /** All values, the least recently used first: a copy, as to use one would move it while others are looked at. */
  values(): V[] {
    return [...(this.#cache?.rvalues() ?? [])] as V[];
  }
}
