import { keyToName } from "../wire/name.js";
import { ROOT_CHANGES_CALM, ROOT_CHANGES_KEPT, ROOT_UNREST_MS, ROOT_WATCH_MS } from "./limits.js";

/** A tree took another root. */
export interface RootChange {
  readonly atMs: number;
  /** The new root's name; undefined where there is none. */
  readonly root: string | undefined;
}

/** When the root of one tree changed: the latest changes, and whether there were so many that a person should know. */
export class RootWatch {
  readonly #changes: RootChange[] = [];
  /** When each unrest of the latest began. */
  readonly #unrests: number[] = [];

  constructor(readonly tree: number) {}

  handleChange(key: Uint8Array | undefined, nowMs: number): void {
    this.#changes.push({ atMs: nowMs, root: key === undefined ? undefined : keyToName(key) });
    if (this.#changes.length > ROOT_CHANGES_KEPT) this.#changes.shift();
    if (nowMs - (this.#unrests.at(-1) ?? Number.NEGATIVE_INFINITY) < ROOT_UNREST_MS) return;
    this.#unrests.push(nowMs);
    if (this.#unrests.length > ROOT_CHANGES_KEPT) this.#unrests.shift();
  }

  /** The latest, the newest last. */
  get changes(): readonly RootChange[] {
    return this.#changes;
  }

  /** How often the root changed lately, those at one time once, up to `ROOT_CHANGES_KEPT`. The first root of all is no change. */
  recentCount(nowMs: number): number {
    return this.#unrests.filter((atMs, i) => nowMs - atMs < ROOT_WATCH_MS && (i > 0 || this.#isCut)).length;
  }

  /** What a person should know; undefined where all is calm. */
  warning(nowMs: number): string | undefined {
    const count = this.recentCount(nowMs);
    if (count <= ROOT_CHANGES_CALM) return undefined;
    const often = `${count >= ROOT_CHANGES_KEPT ? `at least ${count}` : count} times`;
    const minutes = ROOT_WATCH_MS / 60_000;
    return (
      `tree ${this.tree} changed its root ${often} in the last ${minutes} minutes: the node with its best key, or the way there, comes and goes, ` +
      "and whoever looks for a node for the first time may wait. `pinyon show trees` says which nodes: where one is yours, keep it " +
      "running or set `leaf: true` there; in a private network name steady nodes in `network.roots`"
    );
  }

  /** Earlier ones than those kept were forgotten. */
  get #isCut(): boolean {
    return this.#unrests.length === ROOT_CHANGES_KEPT;
  }
}
