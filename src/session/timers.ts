/** Everything that a session waits for. One deadline each. */
export const Timer = {
  /** Message 1 goes again, or the handshake has failed. */
  HANDSHAKE: 0,
  /** A packet that was overtaken counts as lost (RFC 9002 6.1.2). */
  LOSS: 1,
  /** Nothing was acknowledged for a probe timeout: probe packets go (RFC 9002 6.2). */
  PTO: 2,
  /** An acknowledgement was held back for long enough. */
  ACK: 3,
  /** The pacer has room for the next packet. */
  PACING: 4,
  /** The receive key before the last rekey is forgotten. */
  OLD_KEY: 5,
  /** Nothing was received for long. */
  IDLE: 6,
  /** Data was outstanding and nothing was acknowledged for too long. */
  DEAD: 7,
  /** The answers to late packets of a closed session end. */
  CLOSING: 8,
} as const;
export type Timer = (typeof Timer)[keyof typeof Timer];

const TIMER_COUNT = Object.keys(Timer).length;

/** The deadlines of one session, in milliseconds; Infinity where a timer does not run. */
export class TimerTable {
  readonly #deadlines = new Float64Array(TIMER_COUNT).fill(Number.POSITIVE_INFINITY);

  set(timer: Timer, deadlineMs: number): void {
    this.#deadlines[timer] = deadlineMs;
  }

  stop(timer: Timer): void {
    this.#deadlines[timer] = Number.POSITIVE_INFINITY;
  }

  stopAll(): void {
    this.#deadlines.fill(Number.POSITIVE_INFINITY);
  }

  /** The timer that ends first, or undefined where none runs: what a session that wakes too often waits for. */
  get next(): Timer | undefined {
    let next: number | undefined;
    let nextMs = Number.POSITIVE_INFINITY;
    for (let timer = 0; timer < TIMER_COUNT; timer++) {
      if (this.#deadlines[timer]! < nextMs) nextMs = this.#deadlines[(next = timer)]!;
    }
    return next as Timer | undefined;
  }

  /** When the first timer ends; Infinity where none runs. */
  get nextMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (let timer = 0; timer < TIMER_COUNT; timer++) nextMs = Math.min(nextMs, this.#deadlines[timer]!);
    return nextMs;
  }

  /** Takes out one timer whose time has come, and stops it. */
  takeDue(nowMs: number): Timer | undefined {
    const next = this.next;
    if (next === undefined || this.#deadlines[next]! > nowMs) return undefined;
    this.stop(next);
    return next;
  }
}
