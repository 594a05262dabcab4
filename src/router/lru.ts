/**
 * A map that forgets the least recently used of more than `countMax` entries, which must be at least one. Empty it is 40 bytes: a node
 * has eleven, most of them empty, and the cache of a library is 0.9 KB each.
 */
export class Lru<K, V extends {}> {
  /** From the least to the most recently used; made at the first use. */
  #entries: Map<K, V> | undefined;
  #newest: K | undefined;

  constructor(
    private readonly countMax: number,
    private readonly onEvict: ((value: V) => void) | undefined = undefined,
  ) {}

  get size(): number {
    return this.#entries?.size ?? 0;
  }

  /** The value, which counts as used. */
  get(key: K): V | undefined {
    const value = this.#entries?.get(key);
    if (value !== undefined && key !== this.#newest) this.#renew(key, value);
    return value;
  }

  /** The value, which does not count as used. */
  peek(key: K): V | undefined {
    return this.#entries?.get(key);
  }

  set(key: K, value: V): void {
    this.#renew(key, value);
    const entries = this.#entries!;
    if (entries.size <= this.countMax) return;
    const [oldest, evicted] = entries.entries().next().value!;
    entries.delete(oldest);
    this.onEvict?.(evicted);
  }

  /** All values, the least recently used first: a copy, as to use one would move it while others are looked at. */
  values(): V[] {
    return this.#entries === undefined ? [] : [...this.#entries.values()];
  }

  #renew(key: K, value: V): void {
    this.#entries ??= new Map();
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#newest = key;
  }
}
