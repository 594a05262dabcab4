import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { PacketDrop } from "../../src/session/codes.js";
import { SESSION_DEFAULTS, type SessionConfig } from "../../src/session/config.js";
import type { Endpoint } from "../../src/session/endpoint.js";
import { END, FrameReader, FrameType, MALFORMED } from "../../src/session/frames.js";
import { Handshaker } from "../../src/session/handshake.js";
import type { Initiation } from "../../src/session/initiation.js";
import type { SessionKeys } from "../../src/session/keys.js";
import { framesOf, PacketType } from "../../src/session/packet.js";
import { type SideOptions, TestRandom } from "../pair.js";

export const crypto = nativeCrypto();

/** `sizeBytes` bytes that differ by position and seed, so that a byte in a wrong place is seen. */
export function pattern(sizeBytes: number, seed = 1): Uint8Array {
  const random = new TestRandom(seed);
  const bytes = new Uint8Array(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) bytes[i] = random.next() >>> 9;
  return bytes;
}

export function config(changes: Partial<SessionConfig> = {}): SessionConfig {
  return { ...SESSION_DEFAULTS, ...changes };
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

export function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replace(/\s/g, ""), "hex"));
}

/** A peer made of the bare handshake and packet keys, which says whatever a test wants. It talks to one endpoint, without delay. */
export class RawPeer {
  readonly publicKey: Uint8Array;
  readonly handshaker: Handshaker;
  readonly random: TestRandom;
  keys: SessionKeys | undefined;
  initiation: Initiation | undefined;
  /** Packets that the endpoint sent to this peer. */
  readonly sent: Uint8Array[] = [];
  readonly #endpoint: Endpoint;
  ingressPort = 7;

  constructor(endpoint: Endpoint, seed = 99, options: SideOptions = {}) {
    this.#endpoint = endpoint;
    this.random = new TestRandom(seed);
    const identity = crypto.identityFromSeed(this.random.bytes(32));
    this.publicKey = identity.publicKey;
    this.handshaker = new Handshaker({
      crypto,
      identity,
      networkId: Buffer.from(options.networkId ?? "test"),
      secret: options.secret,
      random: this.random.bytes,
      locator: () => options.locator ?? new Uint8Array(10),
      config: config(options.config),
    });
  }

  /** Message 1 to a key. */
  init(remoteKey: Uint8Array): Uint8Array {
    this.initiation = this.handshaker.begin(remoteKey, this.random.next(), 0)!;
    return this.initiation.transmit(0, 0);
  }

  /** The whole handshake up to the endpoint's answer; a first packet must follow. */
  handshake(remoteKey: Uint8Array, nowMs: number): void {
    this.#endpoint.handlePacket(this.init(remoteKey), this.ingressPort, false, nowMs);
    this.collect(nowMs);
    const response = this.sent.find((packet) => packet[0] === PacketType.HANDSHAKE_RESPONSE);
    this.keys = this.handshaker.complete(this.initiation!, response!, nowMs)!.keys;
    this.sent.length = 0;
  }

  /** Seals frames and gives them to the endpoint; gives the verdict's drop. */
  say(frames: Uint8Array, nowMs: number): number {
    return this.#endpoint.handlePacket(this.keys!.seal(frames, 0, nowMs), this.ingressPort, false, nowMs).drop;
  }

  /** Takes what the endpoint has to send to this peer. */
  collect(nowMs: number): void {
    const headroom = (remoteKey: Uint8Array) => (Buffer.compare(remoteKey, this.publicKey) === 0 ? 0 : -1);
    for (
      let out = this.#endpoint.pollTransmit(nowMs, headroom);
      out;
      out = this.#endpoint.pollTransmit(nowMs, headroom)
    ) {
      this.sent.push(out.buffer);
    }
  }

  /** The frames in what the endpoint sent to this peer since the last call, as text. */
  hear(nowMs: number): string[] {
    this.collect(nowMs);
    const heard: string[] = [];
    for (const packet of this.sent.splice(0)) {
      if (this.keys!.open(packet) === PacketDrop.NONE) heard.push(...describeFrames(framesOf(packet)));
    }
    return heard;
  }
}

/** Each frame as text: its name and fields. */
export function describeFrames(frames: Uint8Array): string[] {
  const reader = new FrameReader();
  reader.begin(frames, frames.length);
  const texts: string[] = [];
  for (let type = reader.next(); type !== END; type = reader.next()) {
    texts.push(describeFrame(reader, type, frames));
    if (type === MALFORMED) break;
  }
  return texts;
}

function describeFrame(reader: FrameReader, type: number, bytes: Uint8Array): string {
  const { ack } = reader;
  switch (type) {
    case FrameType.PING:
      return "PING";
    case FrameType.ACK: {
      const ranges = Array.from({ length: ack.rangeCount }, (_, i) => `${ack.starts[i]}-${ack.ends[i]}`);
      return `ACK ${ranges.join(",")} delay ${ack.delayMs} marked ${ack.marked}`;
    }
    case FrameType.WINDOW:
      return `WINDOW ${reader.stream} ${reader.limit}`;
    case FrameType.RESET:
      return `RESET ${reader.stream} ${reader.code}`;
    case FrameType.NOTE:
      return `NOTE ${String.fromCharCode(...bytes.subarray(reader.dataStart, reader.dataEnd))}`;
    case FrameType.CLOSE:
      return `CLOSE ${reader.code} ${reader.reason}`;
    case FrameType.STREAM: {
      const length = reader.dataEnd - reader.dataStart;
      return `STREAM ${reader.stream} ${reader.offset}+${length}${reader.fin ? " fin" : ""}`;
    }
    default:
      return "MALFORMED";
  }
}
