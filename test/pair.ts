/**
 * Two nodes' sessions and the way between them, in virtual time: no I/O, no real clock, and everything from one seed. After quinn's
 * `tests/util.rs`.
 */
import type { Crypto, RandomBytes } from "../src/crypto/crypto.js";
import { nativeCrypto } from "../src/driver/native-crypto.js";
import { SESSION_DEFAULTS, type SessionConfig } from "../src/session/config.js";
import { Endpoint } from "../src/session/endpoint.js";
import type { SessionEvent } from "../src/session/events.js";
import type { Session } from "../src/session/session.js";

/** Bytes that a side leaves free before each packet, as a node does for its frame header. */
const HEADROOM_BYTES = 40;

/** Whole numbers from a seed (xorshift32). */
export class TestRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761 + 1) >>> 0 || 1;
  }

  next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>>= 0);
  }

  below(limit: number): number {
    return this.next() % limit;
  }

  /** True in `perMille` of a thousand. */
  chance(perMille: number): boolean {
    return perMille > 0 && this.below(1000) < perMille;
  }

  readonly bytes: RandomBytes = (sizeBytes) => {
    const bytes = new Uint8Array(sizeBytes);
    for (let i = 0; i < sizeBytes; i++) bytes[i] = this.next() >>> 13;
    return bytes;
  };
}

/** What one direction of the way does to packets. All may be changed at any time. */
export class Way {
  latencyMs = 10;
  bytesPerMs = Number.POSITIVE_INFINITY;
  /** Bytes that wait for the rate before packets are dropped. */
  queueBytesMax = Number.POSITIVE_INFINITY;
  /** Packets that waited longer are marked. */
  markAboveMs = Number.POSITIVE_INFINITY;
  markPerMille = 0;
  lossPerMille = 0;
  duplicatePerMille = 0;
  reorderPerMille = 0;
  /** How much later a reordered packet comes. */
  reorderMs = 15;
  cut = false;
  /** Sees each packet; what it gives goes on, undefined is dropped. */
  filter: ((packet: Uint8Array) => Uint8Array | undefined) | undefined;

  readonly inFlight: { atMs: number; packet: Uint8Array; marked: boolean }[] = [];
  packets = 0;
  bytes = 0;
  dropped = 0;
  marked = 0;
  longestWaitMs = 0;
  #freeMs = 0;
  readonly #random: TestRandom;

  constructor(random: TestRandom) {
    this.#random = random;
  }

  send(sent: Uint8Array, nowMs: number): void {
    this.packets++;
    const packet = this.filter ? this.filter(sent) : sent;
    const random = this.#random;
    if (packet === undefined || this.cut || random.chance(this.lossPerMille)) {
      this.dropped++;
      return;
    }
    const waitMs = Math.max(0, this.#freeMs - nowMs);
    if (waitMs > 0 && waitMs * this.bytesPerMs + packet.length > this.queueBytesMax) {
      this.dropped++;
      return;
    }
    this.bytes += packet.length;
    this.longestWaitMs = Math.max(this.longestWaitMs, waitMs);
    this.#freeMs = nowMs + waitMs + packet.length / this.bytesPerMs;
    const marked = waitMs > this.markAboveMs || random.chance(this.markPerMille);
    if (marked) this.marked++;
    const copies = random.chance(this.duplicatePerMille) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const lateMs = random.chance(this.reorderPerMille) ? this.reorderMs : 0;
      this.inject(packet, this.#freeMs + this.latencyMs + lateMs, marked);
    }
  }

  /** Lets a packet arrive at `atMs`, whoever made it. */
  inject(packet: Uint8Array, atMs: number, marked = false): void {
    let place = this.inFlight.length;
    while (place > 0 && this.inFlight[place - 1]!.atMs > atMs) place--;
    this.inFlight.splice(place, 0, { atMs, packet, marked });
  }
}

/** What a side's user wrote and has yet to hand over. */
interface Outgoing {
  readonly bytes: Uint8Array;
  taken: number;
  readonly finish: boolean;
}

export interface SideOptions {
  readonly config?: Partial<SessionConfig>;
  readonly secret?: Uint8Array;
  readonly networkId?: string;
  readonly locator?: Uint8Array;
  readonly crypto?: Crypto;
  readonly random?: RandomBytes;
}

/** One node's endpoint, and a user that reads all and writes what it is told to. */
export class Side {
  readonly endpoint: Endpoint;
  readonly publicKey: Uint8Array;
  readonly events: SessionEvent[] = [];
  /** The session that was established last and has not ended. */
  session: Session | undefined;
  /** Streams that the user does not read. */
  readonly stalled = new Set<number>();
  /** What the user read of each stream of the present session. */
  received: Uint8Array[][] = [[], []];
  receivedBytes = [0, 0];
  /** False where what is read is only counted. */
  keepsBytes = true;
  /** Nothing may be sent. */
  blocked = false;
  /** Packets that this side was given, and what became of them. */
  readonly verdicts: number[] = [];
  /** Called after each event was handled. */
  onEvent: ((event: SessionEvent) => void) | undefined;
  readonly #outgoing: [Outgoing[], Outgoing[]] = [[], []];

  constructor(seed: number, options: SideOptions, nowMs: number) {
    const random = new TestRandom(seed);
    const crypto = options.crypto ?? nativeCrypto();
    const identity = crypto.identityFromSeed(random.bytes(32));
    this.publicKey = identity.publicKey;
    const locator = options.locator ?? random.bytes(60);
    this.endpoint = new Endpoint(
      {
        crypto,
        identity,
        networkId: Buffer.from(options.networkId ?? "test"),
        secret: options.secret,
        random: options.random ?? random.bytes,
        locator: () => locator,
        config: { ...SESSION_DEFAULTS, ...options.config },
      },
      nowMs,
    );
  }

  /** Writes to a stream of the present session, as fast as it takes. */
  send(stream: number, bytes: Uint8Array, nowMs: number, finish = false): void {
    this.#outgoing[stream]!.push({ bytes, taken: 0, finish });
    this.#write(stream, nowMs);
  }

  /** Reads what there is to read of a stream. */
  read(stream: number): void {
    for (let bytes = this.session?.read(stream); bytes !== undefined; bytes = this.session?.read(stream)) {
      if (this.keepsBytes) this.received[stream]!.push(bytes);
      this.receivedBytes[stream]! += bytes.length;
    }
  }

  /** All that was read of a stream. */
  bytesOf(stream: number): Buffer {
    return Buffer.concat(this.received[stream]!);
  }

  eventsOf<Type extends SessionEvent["type"]>(type: Type): Extract<SessionEvent, { type: Type }>[] {
    return this.events.filter((event) => event.type === type) as Extract<SessionEvent, { type: Type }>[];
  }

  handleEvent(event: SessionEvent, nowMs: number): void {
    if (event.type !== "readable" && event.type !== "writable") this.events.push(event);
    if (event.type === "established") {
      this.session = event.session;
      this.received = [[], []];
      this.receivedBytes = [0, 0];
      for (const stream of [0, 1]) this.#write(stream, nowMs);
    }
    if ("session" in event && event.session === this.session) {
      if (event.type === "readable" && !this.stalled.has(event.stream)) this.read(event.stream);
      if (event.type === "writable") this.#write(event.stream, nowMs);
      if (event.type === "closed") this.session = undefined;
    }
    this.onEvent?.(event);
  }

  readonly headroom = (): number => (this.blocked ? -1 : HEADROOM_BYTES);

  #write(stream: number, nowMs: number): void {
    const queue = this.#outgoing[stream]!;
    for (let first = queue[0]; first !== undefined && this.session !== undefined; first = queue[0]) {
      first.taken += this.session.write(stream, first.bytes.subarray(first.taken), nowMs);
      if (first.taken < first.bytes.length) return;
      if (first.finish) this.session.finish(stream);
      queue.shift();
    }
  }
}

export interface PairOptions {
  readonly seed?: number;
  readonly a?: SideOptions;
  readonly b?: SideOptions;
}

export class Pair {
  nowMs = 0;
  readonly a: Side;
  b: Side;
  readonly aToB: Way;
  readonly bToA: Way;
  /** Called with each packet that a side sends. */
  onPacket: ((from: "a" | "b", packet: Uint8Array) => void) | undefined;
  readonly #seed: number;
  readonly #options: PairOptions;

  constructor(options: PairOptions = {}) {
    const seed = options.seed ?? 1;
    this.#seed = seed;
    this.#options = options;
    this.a = new Side(4 * seed, options.a ?? {}, 0);
    this.b = new Side(4 * seed + 1, options.b ?? {}, 0);
    this.aToB = new Way(new TestRandom(4 * seed + 2));
    this.bToA = new Way(new TestRandom(4 * seed + 3));
  }

  /** Both directions, to turn knobs on. */
  get ways(): readonly Way[] {
    return [this.aToB, this.bToA];
  }

  /** A session from a to b that both sides have. */
  static connected(options: PairOptions = {}): Pair {
    const pair = new Pair(options);
    pair.connect();
    pair.driveUntil(() => pair.b.session !== undefined && pair.a.session !== undefined);
    return pair;
  }

  /** Lets a ask for a session with b. */
  connect(): Session {
    const session = this.a.endpoint.connect(this.b.publicKey, this.nowMs);
    if (session === undefined) throw new Error("connect was refused");
    this.flush();
    return session;
  }

  /** b loses all its state, and keeps its key. */
  restartB(): void {
    this.b = new Side(4 * this.#seed + 1, this.#options.b ?? {}, this.nowMs);
  }

  /** Moves to the next happening, of which a timer later than `horizonMs` is none; false where there is none. */
  step(horizonMs = Number.POSITIVE_INFINITY): boolean {
    const arrivalMs = Math.min(...this.ways.map((way) => way.inFlight[0]?.atMs ?? Number.POSITIVE_INFINITY));
    const timeoutMs = Math.min(this.a.endpoint.pollTimeout(), this.b.endpoint.pollTimeout());
    const nextMs = Math.min(arrivalMs, timeoutMs);
    if (nextMs === Number.POSITIVE_INFINITY || nextMs > horizonMs) return false;
    this.nowMs = Math.max(this.nowMs, nextMs);
    this.#arrive(this.aToB, this.b);
    this.#arrive(this.bToA, this.a);
    for (const side of [this.a, this.b]) {
      if (side.endpoint.pollTimeout() <= this.nowMs) side.endpoint.handleTimeout(this.nowMs);
    }
    this.flush();
    return true;
  }

  /** Runs until nothing is under way: no packet, and no timer within ten seconds. */
  drive(): void {
    while (this.step(this.nowMs + 10_000));
  }

  /** The same, but at most so many steps; true where it came to rest. */
  driveBounded(steps: number): boolean {
    for (let i = 0; i < steps; i++) if (!this.step(this.nowMs + 10_000)) return true;
    return false;
  }

  /** Runs until `done`, for at most `limitMs`; false where it never was. */
  driveUntil(done: () => boolean, limitMs = 600_000): boolean {
    const endMs = this.nowMs + limitMs;
    while (!done()) if (!this.step(endMs)) return false;
    return true;
  }

  /** Runs for so long, happenings or not. */
  driveFor(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    while (this.step(endMs));
    this.nowMs = endMs;
  }

  /** Polls both sides until only timeouts are left. */
  flush(): void {
    this.#flushSide(this.a, this.aToB, "a");
    this.#flushSide(this.b, this.bToA, "b");
  }

  #arrive(way: Way, to: Side): void {
    while (way.inFlight.length > 0 && way.inFlight[0]!.atMs <= this.nowMs) {
      const { packet, marked } = way.inFlight.shift()!;
      to.verdicts.push(to.endpoint.handlePacket(packet, 1, marked, this.nowMs).drop);
    }
  }

  #flushSide(side: Side, way: Way, name: "a" | "b"): void {
    const { endpoint } = side;
    for (;;) {
      const event = endpoint.pollEvent();
      if (event !== undefined) {
        side.handleEvent(event, this.nowMs);
        continue;
      }
      const transmit = endpoint.pollTransmit(this.nowMs, side.headroom);
      if (transmit === undefined) {
        const late = endpoint.pollEvent();
        if (late === undefined) return;
        side.handleEvent(late, this.nowMs);
        continue;
      }
      const packet = transmit.buffer.subarray(transmit.start);
      this.onPacket?.(name, packet);
      way.send(packet, this.nowMs);
    }
  }
}
