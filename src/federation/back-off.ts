/** When to try again what failed: after `firstMs`, then after twice as long each time, `maxMs` at most. */
export interface BackOff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Time until the next try after so many failures in a row, in ms. Half of it is left to chance (`random`: 0 ≤ x < 1). */
export function backOffMs({ firstMs, maxMs }: BackOff, failures: number, random: () => number): number {
  return Math.min(maxMs, firstMs * 2 ** (failures - 1)) * (0.5 + 0.5 * random());
}
