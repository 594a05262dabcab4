/** A part of a stream in a packet. */
export interface StreamPiece {
  stream: number;
  offset: number;
  length: number;
  fin: boolean;
}

/**
 * An ack-eliciting packet in flight: what it carried, so that the same can go again in another packet. The objects are used again
 * and again, their pieces too.
 */
export class SentPacket {
  number = 0;
  sentMs = 0;
  sizeBytes = 0;
  /** Bytes in flight once it was sent. */
  inFlightBytes = 0;
  /** Counts ack-eliciting packets without gaps, as packet numbers do not. */
  ordinal = 0;
  /** `pieces[0 … pieceCount - 1]` are in use. */
  readonly pieces: StreamPiece[] = [];
  pieceCount = 0;
  /** Bit s: it carried a WINDOW frame for stream s. */
  windows = 0;
  /** Bit s: it carried a RESET frame for stream s. */
  resets = 0;

  previous: SentPacket | undefined;
  next: SentPacket | undefined;

  addPiece(stream: number, offset: number, length: number, fin: boolean): void {
    const piece = (this.pieces[this.pieceCount++] ??= { stream, offset, length, fin });
    piece.stream = stream;
    piece.offset = offset;
    piece.length = length;
    piece.fin = fin;
  }
}

/** Spare packets kept for the next sending: 300 bytes each. */
const SPARE_MAX = 4_096;

/** Spare `SentPacket` objects, shared by all sessions of a node. */
export class SentPacketPool {
  readonly #spare: SentPacket[] = [];

  take(): SentPacket {
    const packet = this.#spare.pop() ?? new SentPacket();
    packet.pieceCount = 0;
    packet.windows = 0;
    packet.resets = 0;
    return packet;
  }

  give(packet: SentPacket): void {
    packet.previous = undefined;
    packet.next = undefined;
    if (this.#spare.length < SPARE_MAX) this.#spare.push(packet);
  }
}

/** The packets in flight of one session, in the order of their numbers. */
export class SentPackets {
  #oldest: SentPacket | undefined;
  #newest: SentPacket | undefined;
  #bytes = 0;
  #count = 0;

  get oldest(): SentPacket | undefined {
    return this.#oldest;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#count;
  }

  append(packet: SentPacket): void {
    this.#bytes += packet.sizeBytes;
    this.#count++;
    packet.inFlightBytes = this.#bytes;
    packet.previous = this.#newest;
    packet.next = undefined;
    if (this.#newest === undefined) this.#oldest = packet;
    else this.#newest.next = packet;
    this.#newest = packet;
  }

  remove(packet: SentPacket): void {
    this.#bytes -= packet.sizeBytes;
    this.#count--;
    if (packet.previous === undefined) this.#oldest = packet.next;
    else packet.previous.next = packet.next;
    if (packet.next === undefined) this.#newest = packet.previous;
    else packet.next.previous = packet.previous;
  }
}
