import type { Host } from "./host.js";
import type { SimLink } from "./link.js";
import type { Random } from "./random.js";
import type { Schedule } from "./schedule.js";

/** Between the end of a link, or a vain attempt, and the next attempt. */
const REDIAL_MS = 1_000;

/** Keeps a link from one host to another, as long as both are there and nothing bars the way: dials, and dials again. */
export class Dialler {
  /** The way is barred: attempts are vain. */
  isBarred = false;
  #link: SimLink | undefined;
  #isDue = false;

  constructor(
    readonly from: Host,
    readonly to: Host,
    private readonly schedule: Schedule,
    private readonly random: Random,
    private readonly open: () => SimLink,
  ) {}

  /** The link that was dialled last. */
  get link(): SimLink | undefined {
    return this.#link;
  }

  /** Dials now, unless a link is there or an attempt is under way, and sees to it that there will be one. */
  dial(): void {
    const isTrying = this.#link !== undefined && !this.#link.ends[0].isClosed;
    if (isTrying) return;
    if (this.from.isReading && this.to.node !== undefined && !this.isBarred) this.#link = this.open();
    else this.dialLater();
  }

  /** The link is gone, or never was. */
  dialLater(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.schedule.after(REDIAL_MS + this.random.below(REDIAL_MS / 4), () => {
      this.#isDue = false;
      this.dial();
    });
  }
}
