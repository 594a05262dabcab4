import { Budget } from "../wire/budget.js";
import { REQUEST_WHOLE } from "../wire/control.js";
import { TREE_COUNT } from "../wire/limits.js";

/** A request for an ANNOUNCE, as ANNOUNCE_REQUEST has it. */
interface Wanted {
  readonly tree: number;
  readonly flags: number;
}

/**
 * What a link remembers of the announcements that came over it, and what it may have checked. What comes when the budget is spent is
 * not read, but asked for again when it is paid: so a neighbour that can check more than we can loses no link.
 */
export class Hearing {
  readonly #signatures: Budget;
  readonly #isUnread = new Array<boolean>(TREE_COUNT).fill(false);
  readonly #flags = new Array<number>(TREE_COUNT).fill(-1);

  constructor(ratePerS: number, burst: number, nowMs: number) {
    this.#signatures = new Budget(ratePerS, burst, nowMs);
  }

  mayCheck(signatures: number, nowMs: number): boolean {
    return this.#signatures.overdraw(signatures, nowMs);
  }

  /** An ANNOUNCE was read. */
  handleRead(tree: number): void {
    this.#isUnread[tree] = false;
    this.#flags[tree] = -1;
  }

  /** An ANNOUNCE was not read: what the next one keeps of it is not known, so the whole is wanted. */
  handleUnread(tree: number): void {
    this.#isUnread[tree] = true;
    this.#flags[tree] = REQUEST_WHOLE;
  }

  /** A heartbeat was not checked: the next ANNOUNCE has the seq. */
  handleMissed(tree: number): void {
    this.#flags[tree] = Math.max(0, this.#flags[tree]!);
  }

  /** True from an ANNOUNCE that was not read to the next that is: the neighbour's path is not the one that is known. */
  isUnread(tree: number): boolean {
    return this.#isUnread[tree]!;
  }

  /** What is to be asked for, once it is paid for. */
  takeWanted(): Wanted[] {
    const wanted = this.#flags.flatMap((flags, tree) => (flags < 0 ? [] : [{ tree, flags }]));
    this.#flags.fill(-1);
    return wanted;
  }

  /** When it may be asked for. */
  pollTimeout(): number {
    return this.#flags.some((flags) => flags >= 0) ? this.#signatures.paidMs() : Number.POSITIVE_INFINITY;
  }
}
