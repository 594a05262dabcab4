/**
 * A map that forgets the least recently used of more than `countMax` entries, which must be at least one. It is the platform's map, which
 * keeps the order in which entries were set, made at the first use: a node has eleven of these, most of them empty or nearly so, and a
 * cache of the library, whose room and closures are the same for one entry as for thousands, took 2.7 kB each.
 */
export class Lru<K extends {}, V extends {}> {
  #entries: Map<K, V> | undefined;

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
    if (value !== undefined) this.#renew(key, value);
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
    return [...(this.#entries?.values() ?? [])];
  }

  #renew(key: K, value: V): void {
    this.#entries ??= new Map();
    this.#entries.delete(key);
    this.#entries.set(key, value);
  }
}
