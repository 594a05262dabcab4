import type { Random } from "./random.js";
import type { Schedule } from "./schedule.js";

/** How a link behaves, the same in both directions. */
export interface LinkModel {
  readonly delayMs: number;
  /** A message takes up to so much longer; order is kept. None where it is not said. */
  readonly jitterMs?: number;
  readonly bytesPerMs: number;
  /** Bytes that a direction holds before it takes no more: sent and not yet gone out, or come in and not yet read. */
  readonly bufferBytes: number;
  /** A message is lost in so many of so many cases: it, and all behind it, arrive that much later, as TCP would have it. */
  readonly loss: readonly [numerator: number, denominator: number];
  readonly stallMs: number;
  /** In so many of so many cases a message breaks the connection, and both ends find out. None where it is not said. */
  reset?: readonly [numerator: number, denominator: number];
}

/** What is at the end of a link. */
export interface Station {
  /** False while it reads nothing. */
  readonly isReading: boolean;
  handleMessage(end: LinkEnd, message: Uint8Array): void;
  handleClosed(end: LinkEnd, code: number | undefined): void;
  handleWritable(end: LinkEnd): void;
}

interface Item {
  /** Undefined closes the link. */
  readonly message: Uint8Array | undefined;
  readonly code: number | undefined;
}

/** One direction: messages arrive whole and in order, after their turn at its rate, its delay, and whatever holds them up. */
class Pipe {
  /** Nothing arrives, and nothing is lost, until it is healed. */
  isCut = false;
  #isLost = false;
  #freeMs = 0;
  #lastArrivalMs = 0;
  #arrived: Item[] = [];
  #unreadBytes = 0;
  #isBlocked = false;

  constructor(
    private readonly schedule: Schedule,
    private readonly random: Random,
    private readonly model: LinkModel,
    private readonly from: () => LinkEnd,
    private readonly to: () => LinkEnd,
    private readonly breakDown: () => void,
  ) {}

  send(item: Item): void {
    const { bytesPerMs, delayMs, jitterMs = 0, loss, stallMs, reset } = this.model;
    const { nowMs } = this.schedule;
    this.#freeMs = Math.max(nowMs, this.#freeMs) + (item.message?.length ?? 0) / bytesPerMs;
    const stalledMs = this.random.chance(...loss) ? stallMs : 0;
    const lateMs = jitterMs === 0 ? 0 : this.random.below(jitterMs + 1);
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, this.#freeMs + delayMs + stalledMs + lateMs);
    this.schedule.at(this.#lastArrivalMs, () => this.#arrive(item));
    if (item.message !== undefined && reset !== undefined && this.random.chance(...reset)) this.breakDown();
  }

  /** False where no more is taken: `handleWritable` follows. */
  isWritable(): boolean {
    const waitingBytes = Math.max(0, this.#freeMs - this.schedule.nowMs) * this.model.bytesPerMs;
    if (waitingBytes + this.#unreadBytes < this.model.bufferBytes) return true;
    if (!this.#isBlocked) this.#wakeLater();
    return false;
  }

  /** What has arrived is read, as far as the other end reads. */
  flush(): void {
    while (!this.isCut && this.#arrived.length > 0 && this.to().station.isReading) {
      const item = this.#arrived.shift()!;
      this.#unreadBytes -= item.message?.length ?? 0;
      this.to().take(item);
    }
    if (this.#isBlocked) this.#wakeLater();
  }

  /** Whatever is under way is lost, and whatever follows. */
  lose(): void {
    this.isCut = true;
    this.#isLost = true;
    this.#arrived = [];
  }

  heal(): void {
    if (this.#isLost) return;
    this.isCut = false;
    this.flush();
  }

  #arrive(item: Item): void {
    if (this.#isLost) return;
    if (!this.#isBlocked && !this.isCut && this.#arrived.length === 0 && this.to().station.isReading) {
      this.to().take(item);
      return;
    }
    this.#arrived.push(item);
    this.#unreadBytes += item.message?.length ?? 0;
    this.flush();
  }

  /** Tells the sender when enough has gone out; where too much is unread, only reading helps, and `flush` asks again. */
  #wakeLater(): void {
    this.#isBlocked = true;
    const { bufferBytes, bytesPerMs } = this.model;
    const waitingBytesMax = Math.min(bufferBytes / 2, bufferBytes - this.#unreadBytes - 1);
    if (waitingBytesMax < 0) return;
    this.schedule.at(this.#freeMs - waitingBytesMax / bytesPerMs, () => {
      if (!this.#isBlocked) return;
      this.#isBlocked = false;
      this.from().handleWritable();
    });
  }
}

/** One end of a link, as its station holds it. */
export class LinkEnd {
  isClosed = false;
  /** The station's hello is complete; a closed end may say so still. */
  isUp = false;

  constructor(
    readonly number: number,
    readonly dialled: boolean,
    readonly station: Station,
    /** What this end sends. */
    readonly pipe: Pipe,
    private readonly onClosed: () => void,
  ) {}

  get isWritable(): boolean {
    return this.pipe.isWritable();
  }

  send(message: Uint8Array): void {
    if (!this.isClosed) this.pipe.send({ message, code: undefined });
  }

  /** The other end hears of it after all that was sent before. */
  close(code: number | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.pipe.send({ message: undefined, code });
    this.onClosed();
  }

  /** The station finds the connection gone, and the other end does not. */
  vanish(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.onClosed();
    this.station.handleClosed(this, undefined);
  }

  take(item: Item): void {
    if (this.isClosed) return;
    if (item.message !== undefined) {
      this.station.handleMessage(this, item.message);
      return;
    }
    this.isClosed = true;
    this.onClosed();
    this.station.handleClosed(this, item.code);
  }

  handleWritable(): void {
    if (!this.isClosed) this.station.handleWritable(this);
  }
}

/** A link between two stations, as a WebSocket over TCP would be. */
export class SimLink {
  readonly ends: readonly [LinkEnd, LinkEnd];

  /** `stations[0]` dials. `onClosed` is called when an end is closed. */
  constructor(
    readonly number: number,
    stations: readonly [Station, Station],
    schedule: Schedule,
    random: Random,
    private readonly model: LinkModel,
    onClosed: () => void = () => {},
  ) {
    const end = (side: 0 | 1): LinkEnd => this.ends[side];
    const pipe = (side: 0 | 1) =>
      new Pipe(
        schedule,
        random,
        model,
        () => end(side),
        () => end(side === 0 ? 1 : 0),
        () => this.reset(),
      );
    this.ends = [
      new LinkEnd(number, true, stations[0], pipe(0), onClosed),
      new LinkEnd(number, false, stations[1], pipe(1), onClosed),
    ];
  }

  get delayMs(): number {
    return this.model.delayMs;
  }

  get isClosed(): boolean {
    return this.ends[0].isClosed && this.ends[1].isClosed;
  }

  /** What `sender`, 0 the dialler, sends is held up until `heal`. */
  cut(sender: 0 | 1): void {
    this.ends[sender].pipe.isCut = true;
  }

  heal(): void {
    for (const { pipe } of this.ends) pipe.heal();
  }

  /** Both ends find the connection gone, each as soon as the other's last bytes would have come. */
  reset(): void {
    for (const end of this.ends) end.pipe.send({ message: undefined, code: undefined });
  }

  /** `side` finds the connection gone; the other end is told nothing and hears nothing more. */
  halfOpen(side: 0 | 1): void {
    this.lose();
    this.ends[side].vanish();
  }

  /** What one end sends comes out at the other. */
  isWhole(sender: 0 | 1): boolean {
    return !this.ends[0].isClosed && !this.ends[1].isClosed && !this.ends[sender].pipe.isCut;
  }

  /** One station vanished without a word: nothing arrives any more, and nobody is told. */
  lose(): void {
    for (const { pipe } of this.ends) pipe.lose();
  }

  /** What came in while a station did not read. */
  flushTo(station: Station): void {
    for (const [i, { pipe }] of this.ends.entries()) if (this.ends[1 - i]!.station === station) pipe.flush();
  }
}
