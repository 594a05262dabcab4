import { connect, type Socket } from "node:net";
import { until } from "./until.js";

/** A TCP client that may do anything: what it got, and whether it was cut. */
export class RawClient {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  isClosed = false;

  constructor(port: number, localAddress = "127.0.0.1") {
    this.socket = connect({ port, host: "127.0.0.1", localAddress });
    this.socket.on("data", (chunk: Buffer) => this.#chunks.push(chunk));
    this.socket.on("error", () => {});
    this.socket.once("close", () => {
      this.isClosed = true;
    });
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  async closed(): Promise<void> {
    await until("the client is cut", () => this.isClosed);
  }

  /** Asks for the WebSocket and waits for it; what was received is then what came after. */
  async upgrade(): Promise<void> {
    this.socket.write(upgradeRequest());
    await until("the upgrade", () => this.received.includes("\r\n\r\n"));
    const { received } = this;
    this.#chunks.splice(0, this.#chunks.length, received.subarray(received.indexOf("\r\n\r\n") + 4));
  }

  /** The code in the close frame that it received last. */
  closeCode(): number | undefined {
    const start = this.received.lastIndexOf(0x88);
    return start < 0 ? undefined : this.received.readUInt16BE(start + 2);
  }
}

export function upgradeRequest(headers = ""): string {
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  return `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${headers}\r\n`;
}

/** A client's frame, masked with zeros; `lengthBytes` may lie about the payload. */
export function frame(firstByte: number, payload: Uint8Array, lengthBytes = payload.length): Buffer {
  const length = Buffer.alloc(lengthBytes < 126 ? 1 : lengthBytes < 65_536 ? 3 : 9);
  if (length.length === 1) length[0] = lengthBytes;
  else if (length.length === 3) length.writeUInt16BE(lengthBytes, 1);
  else length.writeBigUInt64BE(BigInt(lengthBytes), 1);
  if (length.length > 1) length[0] = length.length === 3 ? 126 : 127;
  length[0]! |= 0x80;
  return Buffer.concat([Uint8Array.of(firstByte), length, new Uint8Array(4), payload]);
}
