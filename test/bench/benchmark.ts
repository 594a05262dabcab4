import type { Tell } from "../e2e/install.js";
import type { Owner } from "../e2e/mesh.js";

/** What a line must reach: of a ratio where it has a reference, else of its own unit. */
export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** One line of the table. */
export interface Line {
  readonly name: string;
  /** What is measured, in words. */
  readonly what: string;
  readonly unit: string;
  /** What is measured by turns with ours; the target is of ours divided by this. */
  readonly against?: string;
  readonly target: Target;
}

/** What came of a line: one sample a round, those of ours and of the reference by pairs; or why there are none. */
export type Outcome =
  | { readonly ours: readonly number[]; readonly reference?: readonly number[] }
  | { readonly absent: string };

export interface Bench extends Owner {
  readonly tell: Tell;
  /** What the command line of every process of ours begins with. */
  readonly node: readonly string[];
  /** True where one of these lines is to be measured. */
  wants(...lines: readonly string[]): boolean;
}

/** Lines that are measured together. */
export interface Benchmark {
  readonly lines: readonly Line[];
  /** Gives an outcome for each line that is wanted, by its name. */
  run(bench: Bench): Promise<Readonly<Record<string, Outcome>>>;
}
