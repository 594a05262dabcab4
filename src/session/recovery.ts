import type { SessionConfig } from "./config.js";
import { Congestion } from "./congestion.js";
import type { AckFrame } from "./frames.js";
import { Pacer } from "./pacing.js";
import { packetBytesFor } from "./packet-size.js";
import { RttEstimator } from "./rtt.js";
import { type SentPacket, type SentPacketPool, SentPackets } from "./sent-packets.js";
import type { SessionStats } from "./stats.js";

/** A packet is lost when one sent so many later is acknowledged (RFC 9002 6.1.1). */
const PACKET_THRESHOLD = 3;
/** Packets that go at a probe timeout, whatever the congestion window says (RFC 9002 6.2.4). */
const PROBE_PACKETS = 2;

/** Told what became of each packet. */
export interface PacketFates {
  handlePacketAcked(packet: SentPacket): void;
  /** What the packet carried must go again, as far as it still matters. */
  handlePacketLost(packet: SentPacket): void;
}

/** Loss detection of one session (RFC 9002): what is in flight, what is lost, when to probe, how much may go and how fast. */
export class Recovery {
  readonly #config: SessionConfig;
  readonly #pool: SentPacketPool;
  readonly #fates: PacketFates;
  readonly #stats: SessionStats;
  readonly #sent = new SentPackets();
  readonly #congestion: Congestion;
  readonly #pacer: Pacer;
  /** Used within one call of `handleAck` only. */
  readonly #acked: SentPacket[] = [];
  readonly rtt: RttEstimator;
  /** What the first link of the way takes, where that is what limits; else Infinity. */
  linkBytesPerMs = Number.POSITIVE_INFINITY;

  #largestAcked = -1;
  /** When a packet was last sent, or a probe timeout passed: the next is counted from here. */
  #probeFromMs = 0;
  #ordinal = 0;
  #firstSampleMs = Number.POSITIVE_INFINITY;
  /** Samples of packets sent before took another way. */
  #wayChangedMs = Number.NEGATIVE_INFINITY;
  #marksSeen = 0;
  #lossMs = Number.POSITIVE_INFINITY;
  #probeTimeouts = 0;
  #probesDue = 0;
  /** When something was last acknowledged, or the first packet in flight was sent. */
  #progressMs = 0;

  constructor(config: SessionConfig, pool: SentPacketPool, fates: PacketFates, stats: SessionStats) {
    this.#config = config;
    this.#pool = pool;
    this.#fates = fates;
    this.#stats = stats;
    this.#congestion = new Congestion(config);
    this.#pacer = new Pacer(config);
    this.rtt = new RttEstimator(config.initialRttMs);
  }

  get bytesInFlight(): number {
    return this.#sent.bytes;
  }

  get windowBytes(): number {
    return this.#congestion.windowBytes;
  }

  /** Bytes of a full packet, as the path is now. */
  get packetBytes(): number {
    return packetBytesFor(this.#config, this.#congestion.windowBytes, this.bytesPerMs);
  }

  /** The path's speed: one congestion window a round trip, and no more than the first link takes. */
  get bytesPerMs(): number {
    return Math.min(this.#congestion.windowBytes / this.rtt.smoothedMs, this.linkBytesPerMs);
  }

  /** Highest packet number that the peer acknowledged, -1 before the first. */
  get largestAcked(): number {
    return this.#largestAcked;
  }

  /** Probe timeouts in a row. */
  get probeTimeouts(): number {
    return this.#probeTimeouts;
  }

  /** True where a probe packet must go now, whatever the window and the pacer say. */
  get probeDue(): boolean {
    return this.#probesDue > 0;
  }

  /** True where the congestion window has room for a full packet. */
  get hasRoom(): boolean {
    const { packetsInFlightMax } = this.#config;
    const fits = this.#sent.bytes + this.packetBytes <= this.#congestion.windowBytes;
    if (fits && this.#sent.count >= packetsInFlightMax) this.#stats.packetsInFlightRefused++;
    return fits && this.#sent.count < packetsInFlightMax;
  }

  /** When the pacer lets a full packet out: `nowMs` or earlier means now. */
  pacedMs(nowMs: number): number {
    return this.#pacer.readyMs(this.packetBytes, this.#congestion.windowBytes, this.rtt.smoothedMs, nowMs);
  }

  /** A record for the packet about to be built; it goes to `handleSent` or is dropped. */
  takePacket(): SentPacket {
    return this.#pool.take();
  }

  /** An ack-eliciting packet was sent. */
  handleSent(packet: SentPacket, number: number, sizeBytes: number, nowMs: number): void {
    packet.number = number;
    packet.sentMs = nowMs;
    packet.sizeBytes = sizeBytes;
    packet.ordinal = this.#ordinal++;
    if (this.#sent.count === 0) this.#progressMs = this.#probeFromMs = nowMs;
    this.#sent.append(packet);
    if (this.#probesDue > 0) this.#probesDue--;
    this.#pacer.spend(sizeBytes);
  }

  /** The handshake took one round trip. */
  handleHandshakeSample(sampleMs: number, nowMs: number): void {
    this.#firstSampleMs = nowMs;
    this.rtt.update(sampleMs, 0);
  }

  /** An ACK frame came. Its largest number was sent: the session has checked that. */
  handleAck(ack: AckFrame, nowMs: number): void {
    this.#largestAcked = Math.max(this.#largestAcked, ack.largest);
    const acked = this.#acked;
    this.#takeAcked(ack);
    if (acked.length === 0) return;
    const last = acked[acked.length - 1]!;
    if (last.number === ack.largest && last.sentMs >= this.#wayChangedMs) this.#sample(last, ack.delayMs, nowMs);
    if (ack.marked > this.#marksSeen) {
      this.#marksSeen = ack.marked;
      if (this.#congestion.handleCongestion(last.sentMs, true, nowMs)) this.#stats.congestionEvents++;
    }
    this.#detectLost(nowMs);
    for (const packet of acked) {
      this.#congestion.handleAcked(packet.sizeBytes, packet.sentMs, packet.inFlightBytes, this.rtt.smoothedMs, nowMs);
      this.#fates.handlePacketAcked(packet);
      this.#pool.give(packet);
    }
    acked.length = 0;
    this.#probeTimeouts = 0;
    this.#probesDue = 0;
    this.#progressMs = this.#probeFromMs = nowMs;
  }

  /** When a packet that was overtaken counts as lost; Infinity where none was. */
  get lossDeadlineMs(): number {
    return this.#lossMs;
  }

  /**
   * When to probe because nothing was acknowledged (RFC 9002 6.2.1); Infinity with nothing in flight. It counts from the last
   * acknowledgement, as in RFC 6298 5.3, not from the last packet: or a flow of a packet now and then would notice a dead route only
   * when its window is full.
   */
  get probeDeadlineMs(): number {
    if (this.#sent.count === 0 || this.#lossMs !== Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    const periodMs = this.rtt.probeTimeoutMs;
    const longestMs = Math.max(this.#config.probeTimeoutMsMax, 2 * periodMs);
    return this.#probeFromMs + Math.min(periodMs * (1 << Math.min(this.#probeTimeouts, 16)), longestMs);
  }

  /** When the session is dead because nothing was acknowledged for long; Infinity with nothing in flight. */
  get deadDeadlineMs(): number {
    return this.#sent.count === 0 ? Number.POSITIVE_INFINITY : this.#progressMs + this.#config.deadAfterMs;
  }

  handleLossTimeout(nowMs: number): void {
    this.#detectLost(nowMs);
  }

  /** Nothing was acknowledged: two probes go, with what the oldest packets in flight carried. */
  handleProbeTimeout(nowMs: number): void {
    this.#probeFromMs = nowMs;
    this.#probeTimeouts++;
    this.#stats.probeTimeouts++;
    this.#probe();
  }

  /**
   * The packets take another way from now on: window, round trip and backoff start anew (RFC 9000 9.4), and what is in flight is
   * probed at once. What the old way still delivers is acknowledged as ever, and what it lost does not count against the new one.
   * Where the round trip of the new way is known, and shorter than the first guess, that is the guess; queues may be as long as before.
   */
  handleRouteChanged(nowMs: number, rttMs = 0): void {
    this.#congestion.reset(nowMs);
    this.linkBytesPerMs = Number.POSITIVE_INFINITY;
    this.rtt.reset(rttMs === 0 ? undefined : Math.max(rttMs, this.rtt.smoothedMs));
    this.#firstSampleMs = Number.POSITIVE_INFINITY;
    this.#wayChangedMs = this.#probeFromMs = nowMs;
    this.#probeTimeouts = 0;
    if (this.#sent.count > 0) this.#probe();
  }

  /** Everything in flight is lost for certain, without a word about the way. */
  loseAll(): void {
    for (let packet = this.#sent.oldest; packet !== undefined; packet = packet.next)
      this.#fates.handlePacketLost(packet);
    this.clear();
  }

  /** Forgets everything in flight. */
  clear(): void {
    for (let packet = this.#sent.oldest; packet !== undefined; packet = this.#sent.oldest) this.#discard(packet);
    this.#lossMs = Number.POSITIVE_INFINITY;
    this.#probesDue = 0;
  }

  /** Takes what `ack` names out of flight, in ascending order. */
  #takeAcked(ack: AckFrame): void {
    let range = ack.rangeCount - 1;
    let packet = this.#sent.oldest;
    while (packet !== undefined && range >= 0 && packet.number <= ack.largest) {
      const next: SentPacket | undefined = packet.next;
      while (range >= 0 && ack.ends[range]! < packet.number) range--;
      if (range >= 0 && packet.number >= ack.starts[range]!) {
        this.#sent.remove(packet);
        this.#acked.push(packet);
      }
      packet = next;
    }
  }

  #sample(packet: SentPacket, ackDelayMs: number, nowMs: number): void {
    const sampleMs = nowMs - packet.sentMs;
    if (!this.rtt.sampled) this.#firstSampleMs = nowMs;
    this.rtt.update(sampleMs, ackDelayMs);
    this.#congestion.handleRttSample(sampleMs, packet.sentMs, nowMs);
  }

  /** RFC 9002 6.1: by packet threshold and by time. */
  #detectLost(nowMs: number): void {
    this.#lossMs = Number.POSITIVE_INFINITY;
    let packet = this.#sent.oldest;
    if (packet === undefined || packet.number >= this.#largestAcked) return;
    const lossDelayMs = this.rtt.lossDelayMs;
    const run = { ordinal: -1, startMs: 0, persistent: false };
    let lastLostMs = Number.NEGATIVE_INFINITY;
    while (packet !== undefined && packet.number < this.#largestAcked) {
      const next: SentPacket | undefined = packet.next;
      const lostMs = packet.sentMs + lossDelayMs;
      if (packet.number <= this.#largestAcked - PACKET_THRESHOLD || lostMs <= nowMs) {
        lastLostMs = packet.sentMs;
        this.#extendRun(run, packet);
        this.#fates.handlePacketLost(packet);
        this.#stats.packetsLost++;
        this.#discard(packet);
      } else {
        this.#lossMs = Math.min(this.#lossMs, lostMs);
      }
      packet = next;
    }
    if (lastLostMs === Number.NEGATIVE_INFINITY) return;
    if (this.#congestion.handleCongestion(lastLostMs, false, nowMs)) this.#stats.congestionEvents++;
    if (run.persistent) this.#congestion.handlePersistentCongestion();
  }

  /** Follows runs of packets lost one after another: a run that lasted too long is persistent congestion (RFC 9002 7.6.2). */
  #extendRun(run: { ordinal: number; startMs: number; persistent: boolean }, packet: SentPacket): void {
    if (packet.sentMs < this.#firstSampleMs) return;
    if (packet.ordinal !== run.ordinal) run.startMs = packet.sentMs;
    run.ordinal = packet.ordinal + 1;
    if (packet.sentMs - run.startMs > this.rtt.persistentCongestionMs) run.persistent = true;
  }

  #probe(): void {
    this.#probesDue = PROBE_PACKETS;
    let packet = this.#sent.oldest;
    for (let i = 0; i < PROBE_PACKETS && packet !== undefined; i++) {
      this.#fates.handlePacketLost(packet);
      packet = packet.next;
    }
  }

  #discard(packet: SentPacket): void {
    this.#sent.remove(packet);
    this.#pool.give(packet);
  }
}
