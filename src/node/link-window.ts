import { CLOCK_PER_MS, clockOf } from "../wire/control.js";
import type { LinkWindowConfig } from "./config.js";

/** Pings that are out at a time: those of a window, and what keep-alive asks. */
const MARKS_MAX = 32;
/** A mark goes out for each of so many parts of the window. */
const MARKS_PER_WINDOW = 16;
/** The first windows grow where so much of them was in use: sessions that double what they send are not to be held up by them. */
const FIRST_SHARE = 1 / 4;
/** A round trip so little above the least waited nowhere, in ms. */
const AT_REST_MS = 1;
/** Fewer pongs say nothing of an interval: a process that stood still for that long has them all late. */
const SAMPLES_MIN = 8;
/** A smaller window brought so much less through while the delay stayed: then the queue is somebody else's. */
const RATE_KEPT = 0.85;
const DELAY_KEPT = 0.8;

/** A ping that is out: the bytes that went before it. */
interface Mark {
  readonly token: number;
  readonly bytes: number;
  readonly sentMs: number;
  /** What was out then. */
  readonly outBytes: number;
}

/** What was seen when the window was made smaller. */
interface Cut {
  readonly bytesPerMs: number;
  readonly delayMs: number;
  /** It did not help, in the interval after it. */
  readonly isInDoubt: boolean;
}

/**
 * How many bytes may be on a link that its other end has not confirmed. TCP, the kernel and whatever stands between take far more than
 * the line has room for, and hand it on in order, past all fairness; what waits behind this window waits in the queue, where the order
 * and the marks are.
 *
 * Pings go out between the frames; the pong confirms what went before. They cannot be guessed, so nobody confirms what did not come.
 * As long as hardly anything waits at the line, the window doubles in a round trip, as in slow start. Where the least delay of an interval
 * (CoDel, RFC 8289: so it stood all the time) is over `queueMs`, the line is full: the window becomes what passed in that time, for a
 * round trip with `queueMs` of waiting. Where that brings less through and the delay stays, the queue is not of this link's making, or
 * the way is longer now: the window grows as at first, and that delay is taken for the least for a while.
 */
export class LinkWindow {
  readonly #config: LinkWindowConfig;
  /** Bytes of frames that were sent, and confirmed. */
  #sentBytes = 0;
  #confirmedBytes = 0;
  /** Those that are out, the oldest first. */
  readonly #marks: Mark[] = [];
  #markedBytes = 0;
  #markedMs = Number.NEGATIVE_INFINITY;
  #windowBytes: number;
  /** What was sent up to here filled the window. */
  #limitedBytes = -1;
  /** The line was full once: what it takes is known. */
  #isKnown = false;
  /** The least round trip that was seen, and what is taken for it until `#raisedUntilMs`. */
  #leastMs = Number.POSITIVE_INFINITY;
  #baseMs = Number.POSITIVE_INFINITY;
  #raisedToMs = Number.NEGATIVE_INFINITY;
  #raisedUntilMs = Number.NEGATIVE_INFINITY;
  /** What the other end's clock says at the end of a way without a queue, less what ours said at its beginning. */
  #offset: number | undefined;
  /** The interval that is looked at: from its first confirmation on, what was sent after `#fromBytes`. */
  #fromBytes = 0;
  #startMs = Number.NEGATIVE_INFINITY;
  #startBytes = 0;
  #intervalTripMs = Number.POSITIVE_INFINITY;
  #intervalDelayMs = Number.POSITIVE_INFINITY;
  #wasLimited = false;
  #samples = 0;
  #cut: Cut | undefined;
  #bytesPerMs = Number.POSITIVE_INFINITY;
  /** What may wait at the line. */
  #queueMs: number;
  /** Frames wait for room. */
  isHolding = false;

  constructor(config: LinkWindowConfig) {
    this.#config = config;
    this.#windowBytes = config.firstBytes;
    this.#queueMs = config.queueMs;
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** Bytes that were sent and not confirmed. */
  get outBytes(): number {
    return this.#sentBytes - this.#confirmedBytes;
  }

  /** A frame may go that can wait: it may be larger than the room. */
  get hasRoom(): boolean {
    return this.outBytes < this.#windowBytes;
  }

  /** What the line takes, where this window is what limits; Infinity where it does not. */
  get bytesPerMs(): number {
    return this.#bytesPerMs;
  }

  handleSent(sizeBytes: number): void {
    this.#sentBytes += sizeBytes;
  }

  /** Frames wait and there is no room. */
  handleHeld(): void {
    this.isHolding = true;
    this.#limitedBytes = this.#sentBytes;
  }

  /** True where a ping is to go out, so that what was sent is confirmed. */
  isMarkDue(nowMs: number): boolean {
    if (this.outBytes < this.#windowBytes * FIRST_SHARE) return false;
    if (this.#sentBytes - this.#markedBytes < this.#windowBytes / MARKS_PER_WINDOW) return false;
    if (this.#marks.length === 0) return true;
    return this.#marks.length < MARKS_MAX && nowMs - this.#markedMs >= this.#config.markGapMs;
  }

  /** A ping goes out, for whatever reason. */
  handleMark(token: number, nowMs: number): void {
    if (this.#marks.length >= MARKS_MAX) this.#marks.shift();
    this.#marks.push({ token, bytes: this.#sentBytes, sentMs: nowMs, outBytes: this.outBytes });
    this.#markedBytes = this.#sentBytes;
    this.#markedMs = nowMs;
  }

  /** `clock` is what the other end's said when the ping came. False where no ping with that token is out. It confirms those before it too: their pongs were left out. */
  handlePong(token: number, clock: number, nowMs: number): boolean {
    const at = this.#marks.findIndex((mark) => mark.token === token);
    if (at < 0) return false;
    const mark = this.#marks.splice(0, at + 1)[at]!;
    const confirmedBytes = mark.bytes - this.#confirmedBytes;
    this.#confirmedBytes = mark.bytes;
    this.#sample(mark, clock, confirmedBytes, nowMs);
    return true;
  }

  #sample(mark: Mark, clock: number, confirmedBytes: number, nowMs: number): void {
    const { bytesMax, intervalMs } = this.#config;
    const queueMs = this.#queueMs;
    const tripMs = nowMs - mark.sentMs;
    const delayMs = this.#delayMs(mark, clock, tripMs, nowMs);
    const isLimited = mark.bytes <= this.#limitedBytes;
    const mayGrow = this.#isKnown ? isLimited : mark.outBytes >= this.#windowBytes * FIRST_SHARE;
    if (mayGrow && delayMs <= queueMs / 2) {
      const growth = this.#isKnown ? queueMs / (tripMs + queueMs) : 1;
      this.#windowBytes = Math.min(this.#windowBytes + growth * confirmedBytes, bytesMax);
    }
    if (mark.bytes <= this.#fromBytes) return;
    if (this.#startMs === Number.NEGATIVE_INFINITY) {
      this.#begin(mark, nowMs);
      return;
    }
    this.#wasLimited ||= isLimited;
    this.#intervalTripMs = Math.min(this.#intervalTripMs, tripMs);
    this.#intervalDelayMs = Math.min(this.#intervalDelayMs, delayMs);
    if (++this.#samples < SAMPLES_MIN) return;
    if (nowMs - this.#startMs >= Math.max(intervalMs, this.#baseMs)) this.#judge(mark, nowMs);
  }

  /**
   * How long the ping waited at the line: what its way took longer than the least, by the clock of the other end, and no more than what
   * the round trip did. Where the round trip is the least, nothing waited, and the clocks are compared anew: they may run apart.
   */
  #delayMs(mark: Mark, clock: number, tripMs: number, nowMs: number): number {
    this.#leastMs = Math.min(this.#leastMs, tripMs);
    // Far below what was taken for the least: that delay is gone.
    if (nowMs >= this.#raisedUntilMs || tripMs < this.#raisedToMs - this.#queueMs) {
      this.#raisedUntilMs = this.#raisedToMs = Number.NEGATIVE_INFINITY;
      this.#baseMs = this.#leastMs;
    }
    this.#baseMs = Math.min(this.#baseMs, tripMs);
    const offset = (clock - clockOf(mark.sentMs)) | 0;
    if (this.#offset === undefined || tripMs <= this.#leastMs + AT_REST_MS || ((offset - this.#offset) | 0) < 0)
      this.#offset = offset;
    return Math.min(((offset - this.#offset) | 0) / CLOCK_PER_MS, tripMs - this.#baseMs);
  }

  #begin(mark: Mark, nowMs: number): void {
    this.#startMs = nowMs;
    this.#startBytes = mark.bytes;
    this.#intervalTripMs = Number.POSITIVE_INFINITY;
    this.#intervalDelayMs = Number.POSITIVE_INFINITY;
    this.#wasLimited = false;
    this.#samples = 0;
  }

  /** An interval is over. */
  #judge(mark: Mark, nowMs: number): void {
    const bytesPerMs = (mark.bytes - this.#startBytes) / (nowMs - this.#startMs);
    const cut = this.#cut;
    this.#cut = undefined;
    if (this.#intervalDelayMs > this.#queueMs) {
      const isKept = cut !== undefined && this.#intervalDelayMs > DELAY_KEPT * cut.delayMs;
      if (!isKept || bytesPerMs >= RATE_KEPT * cut.bytesPerMs) this.#reduce(bytesPerMs);
      else if (cut.isInDoubt) this.#yield(nowMs);
      else this.#cut = { ...cut, isInDoubt: true };
    }
    const { queueMs, queueBytesMin } = this.#config;
    this.#bytesPerMs = this.#wasLimited ? bytesPerMs : Number.POSITIVE_INFINITY;
    this.#queueMs = Math.max(queueMs, queueBytesMin / this.#bytesPerMs);
    this.#begin(mark, nowMs);
    if (this.#cut === undefined) return;
    // What is out already went by the old window.
    this.#startMs = Number.NEGATIVE_INFINITY;
    this.#fromBytes = this.#sentBytes;
  }

  /** The line was full all the time: no more is to be under way than it needs. */
  #reduce(bytesPerMs: number): void {
    const { bytesMin, idleBytesMin } = this.#config;
    this.#isKnown = true;
    const neededMs = this.#intervalTripMs - this.#intervalDelayMs + this.#queueMs;
    // What came since the last mark counts as under way.
    const windowBytes = Math.max(
      bytesPerMs * neededMs * (1 + 1 / MARKS_PER_WINDOW),
      this.#wasLimited ? bytesMin : idleBytesMin,
    );
    if (windowBytes >= this.#windowBytes) return;
    this.#cut = { bytesPerMs, delayMs: this.#intervalDelayMs, isInDoubt: false };
    this.#windowBytes = windowBytes;
  }

  /** The smaller window did not help: the delay is the line's for a while. */
  #yield(nowMs: number): void {
    this.#baseMs = this.#raisedToMs = this.#intervalTripMs;
    this.#raisedUntilMs = nowMs + this.#config.raisedMs;
    // All at once would be a queue of this link's own.
    this.#isKnown = false;
  }
}
