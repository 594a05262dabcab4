import fc from "fast-check";

/** What is done to good bytes: some bytes changed, then cut or lengthened. */
export interface Mutation {
  readonly changes: readonly { readonly at: number; readonly value: number }[];
  readonly cut: number;
  readonly tail: Uint8Array;
}

/** Values that msgpack gives a meaning, more often than others. */
const value = fc.oneof(
  fc.integer({ min: 0, max: 255 }),
  fc.constantFrom(0, 1, 0x7f, 0x80, 0x90, 0x91, 0xc0, 0xc4, 0xc5, 0xc6, 0xca, 0xcc, 0xcd, 0xce, 0xcf, 0xdc, 0xdd, 0xff),
);

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  changes: fc.array(fc.record({ at: fc.nat(), value }), { maxLength: 4 }),
  cut: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 80 }) }),
  tail: fc.oneof(
    { weight: 3, arbitrary: fc.constant(new Uint8Array(0)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4 }) },
  ),
});

export function mutate(bytes: Uint8Array, { changes, cut, tail }: Mutation): Uint8Array {
  const kept = bytes.slice(0, Math.max(0, bytes.length - cut));
  // Half of the changes go into the first 70 bytes, where heads and fields are.
  for (const change of changes) {
    const span = change.at % 2 === 0 ? Math.min(kept.length, 70) : kept.length;
    if (span > 0) kept[(change.at >>> 1) % span] = change.value;
  }
  const mutated = new Uint8Array(kept.length + tail.length);
  mutated.set(kept);
  mutated.set(tail, kept.length);
  return mutated;
}

/** Bytes that begin like an array of up to 15 elements. */
export const messageLike: fc.Arbitrary<Uint8Array> = fc
  .tuple(fc.integer({ min: 0x90, max: 0x9f }), fc.array(value, { maxLength: 60 }))
  .map(([first, rest]) => Uint8Array.of(first, ...rest));
