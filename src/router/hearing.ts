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
  /** Bit t: the last ANNOUNCE of tree t was not read. */
  #unread = 0;
  /** Bit t: an ANNOUNCE of tree t is wanted, and the whole is. */
  #wanted = 0;
  #wholes = 0;

  constructor(ratePerS: number, burst: number, nowMs: number) {
    this.#signatures = new Budget(ratePerS, burst, nowMs);
  }

  mayCheck(signatures: number, nowMs: number): boolean {
    return this.#signatures.overdraw(signatures, nowMs);
  }

  /** An ANNOUNCE was read. */
  handleRead(tree: number): void {
    const others = ~(1 << tree);
    this.#unread &= others;
    this.#wanted &= others;
    this.#wholes &= others;
  }

  /** An ANNOUNCE was not read: what the next one keeps of it is not known, so the whole is wanted. */
  handleUnread(tree: number): void {
    this.#unread |= 1 << tree;
    this.#wanted |= 1 << tree;
    this.#wholes |= 1 << tree;
  }

  /** A heartbeat was not checked: the next ANNOUNCE has the seq. */
  handleMissed(tree: number): void {
    this.#wanted |= 1 << tree;
  }

  /** True from an ANNOUNCE that was not read to the next that is: the neighbour's path is not the one that is known. */
  isUnread(tree: number): boolean {
    return (this.#unread & (1 << tree)) !== 0;
  }

  /** What is to be asked for, once it is paid for. */
  takeWanted(): Wanted[] {
    const wanted: Wanted[] = [];
    for (let tree = 0; tree < TREE_COUNT; tree++) {
      if ((this.#wanted & (1 << tree)) === 0) continue;
      wanted.push({ tree, flags: (this.#wholes & (1 << tree)) === 0 ? 0 : REQUEST_WHOLE });
    }
    this.#wanted = 0;
    this.#wholes = 0;
    return wanted;
  }

  /** When it may be asked for. */
  pollTimeout(): number {
    return this.#wanted !== 0 ? this.#signatures.paidMs() : Number.POSITIVE_INFINITY;
  }
}
