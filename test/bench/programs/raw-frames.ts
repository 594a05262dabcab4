import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Link } from "../../../src/link/link.js";

/** Bytes that are written at once. */
const CHUNK_BYTES = 64 * 1024;

/**
 * One WebSocket message as its bytes on the wire, as often as a chunk has room for it; from a client, with a mask: zero, or as the library
 * makes them. What a random mask makes of the message is nothing that anybody looks at here.
 */
export function chunkOf(message: Uint8Array, mask: "zero" | "random"): { chunk: Buffer; frames: number } {
  const head = Buffer.from([0x82, 0x80 | 126, message.length >> 8, message.length & 0xff]);
  const frames = Math.max(1, Math.floor(CHUNK_BYTES / (message.length + 8)));
  const one = () => [head, mask === "zero" ? Buffer.alloc(4) : randomBytes(4), message];
  return { chunk: Buffer.concat(Array.from({ length: frames }, one).flat()), frames };
}

/**
 * Reads an open WebSocket in place of the library, without work for what is only counted: messages of `countedBytes` are that, all others
 * are given to `onMessage`.
 */
export class RawReader {
  countedBytes = -1;
  counted = 0;
  onMessage: ((message: Uint8Array) => void) | undefined;
  onCounted: (() => void) | undefined;
  /** The beginning of a head, or of a message that is not counted. */
  #held: Buffer = Buffer.alloc(0);
  /** Bytes of a counted message that are still to come. */
  #skip = 0;

  constructor(webSocket: WebSocket) {
    const { _socket: socket } = webSocket as unknown as { _socket: Socket };
    socket.removeAllListeners("data");
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  #read(chunk: Buffer): void {
    let at = Math.min(this.#skip, chunk.length);
    this.#skip -= at;
    if (this.#held.length > 0) {
      chunk = Buffer.concat([this.#held, chunk.subarray(at)]);
      at = 0;
    }
    const before = this.counted;
    while (chunk.length - at >= 2) {
      const isMasked = chunk[at + 1]! >= 0x80;
      const short = chunk[at + 1]! & 0x7f;
      const headBytes = 2 + (short === 126 ? 2 : 0) + (isMasked ? 4 : 0);
      if (chunk.length - at < headBytes) break;
      const length = short === 126 ? chunk.readUInt16BE(at + 2) : short;
      const end = at + headBytes + length;
      if (length === this.countedBytes) {
        this.counted++;
        this.#skip = Math.max(0, end - chunk.length);
      } else {
        if (end > chunk.length) break;
        // Our links have zero masks on loopback.
        if (chunk[at] === 0x82) this.onMessage?.(new Uint8Array(chunk.subarray(at + headBytes, end)));
      }
      at = Math.min(end, chunk.length);
    }
    this.#held = chunk.subarray(at);
    if (this.counted > before) this.onCounted?.();
  }
}

/** A link over an open WebSocket that is read as above. */
export class RawLink implements Link {
  readonly remote = "relay";
  onMessage: Link["onMessage"];
  onWritable: Link["onWritable"];
  onClose: Link["onClose"];

  constructor(
    private readonly webSocket: WebSocket,
    reader: RawReader,
    readonly dialled: boolean,
  ) {
    reader.onMessage = (message) => this.onMessage?.(message);
    webSocket.on("error", () => {}).on("close", () => this.onClose?.(undefined, "the connection ended"));
  }

  send(message: Uint8Array): boolean {
    this.webSocket.send(message, { binary: true });
    return true;
  }

  close(): void {
    this.webSocket.close();
  }
}
