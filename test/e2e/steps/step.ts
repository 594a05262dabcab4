/** What a step found: a text for people, and the same as numbers for scripts, with their units in their names. */
export interface Finding {
  readonly text: string;
  readonly figures: Readonly<Record<string, number>>;
}

/** Something that must come about on a stage. It throws where it does not. */
export interface Step<Stage> {
  readonly title: string;
  run(stage: Stage): Promise<Finding>;
}

/** Throws where something is not so. */
export function must(isSo: boolean, otherwise: string): asserts isSo {
  if (!isSo) throw new Error(otherwise);
}

/** Asks until there is an answer; throws with what it last heard when there was none for so long. */
export async function eventually<T>(what: string, withinMs: number, ask: () => Promise<T | undefined>): Promise<T> {
  const endMs = performance.now() + withinMs;
  let last = "";
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = `: ${(error as Error).message}`;
    }
    if (performance.now() > endMs) throw new Error(`${what} did not come about within ${withinMs / 1_000} s${last}`);
    await pause(50);
  }
}

export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** How long something takes, in ms. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** 1.24 s; 87 ms. */
export function time(durationMs: number): string {
  return durationMs < 1_000 ? `${Math.round(durationMs)} ms` : `${(durationMs / 1_000).toFixed(2)} s`;
}

export function megabytes(sizeBytes: number): string {
  return `${(sizeBytes / 1e6).toFixed(1)} MB`;
}

/** The middle one. */
export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1]!;
}
