import { ACK_RANGES_MAX, AckFrame, writeAck } from "./frames.js";
import { RangeSet } from "./ranges.js";
import { ACK_DELAY_MS_MAX } from "./rtt.js";

/** Ack-eliciting packets after which an acknowledgement goes at once (RFC 9000 13.2.2). */
const ACK_EVERY_PACKETS = 2;
/** But one goes this long after the last, in ms, if nothing urges: on a fast way many packets share it. */
const ACK_GAP_MS = 1;

/** Which packets came, and when to say so (RFC 9000 13.2). Keeps the highest `ACK_RANGES_MAX` ranges. */
export class ReceivedPackets {
  readonly #ranges = new RangeSet();
  readonly #frame = new AckFrame();
  #largest = -1;
  #largestMs = 0;
  /** Ack-eliciting packets since the last acknowledgement. */
  #unacknowledged = 0;
  #immediate = false;
  #deadlineMs = Number.POSITIVE_INFINITY;
  /** When the last acknowledgement went. */
  #sentMs = Number.NEGATIVE_INFINITY;
  #marked = 0;

  /** A packet was accepted. It is no duplicate. */
  handlePacket(number: number, eliciting: boolean, marked: boolean, nowMs: number): void {
    if (marked) this.#marked++;
    if (eliciting) {
      this.#unacknowledged++;
      const urges = number !== this.#largest + 1 || marked;
      const gapEndMs = this.#sentMs + ACK_GAP_MS;
      if (urges || (this.#unacknowledged >= ACK_EVERY_PACKETS && gapEndMs <= nowMs)) this.#immediate = true;
      else this.#deadlineMs = this.#unacknowledged < ACK_EVERY_PACKETS ? nowMs + ACK_DELAY_MS_MAX : gapEndMs;
    }
    if (number > this.#largest) {
      this.#largest = number;
      this.#largestMs = nowMs;
    }
    this.#ranges.insert(number, number + 1);
    if (this.#ranges.count > ACK_RANGES_MAX) this.#ranges.dropFirst();
  }

  /** True where there is something to acknowledge: it goes with any packet. */
  get pending(): boolean {
    return this.#unacknowledged > 0;
  }

  /** True where an acknowledgement must go now, alone if need be. */
  get due(): boolean {
    return this.#immediate;
  }

  /** When a held back acknowledgement must go; Infinity where there is none. */
  get deadlineMs(): number {
    return this.#immediate ? Number.POSITIVE_INFINITY : this.#deadlineMs;
  }

  handleAckTimeout(): void {
    if (this.#unacknowledged > 0) this.#immediate = true;
  }

  /** Writes an ACK frame, as many ranges as fit before `limit`; gives the position after it. */
  write(out: Uint8Array, at: number, limit: number, nowMs: number): number {
    const frame = this.#frame;
    const count = this.#ranges.count;
    frame.largest = this.#largest;
    frame.delayMs = nowMs - this.#largestMs;
    frame.marked = this.#marked;
    frame.rangeCount = count;
    for (let i = 0; i < count; i++) {
      frame.starts[i] = this.#ranges.start(count - 1 - i);
      frame.ends[i] = this.#ranges.end(count - 1 - i) - 1;
    }
    this.#unacknowledged = 0;
    this.#immediate = false;
    this.#deadlineMs = Number.POSITIVE_INFINITY;
    this.#sentMs = nowMs;
    return writeAck(out, at, limit, frame);
  }
}
