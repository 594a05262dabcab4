import type { Duplex } from "node:stream";
import { awaitBeginning, type Reading } from "./beginning.js";
import { CLIENT_HELLO_BYTES_MAX, CLIENT_HELLO_TIMEOUT_MS } from "./config.js";
import type { Timers } from "./overlay.js";

/** What a TLS client begins with (RFC 8446, 4.1.2; the same in TLS 1.2), as far as it is looked at. */
export interface ClientHello {
  /** The name of the server that it wants, in lower case (RFC 6066, section 3); undefined where it names none. */
  readonly serverName: string | undefined;
  /** The protocols that it would speak in TLS (RFC 7301). */
  readonly protocols: readonly string[];
}

const RECORD_HEAD_BYTES = 5;
const RECORD_BYTES_MAX = 16_384;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const PROTOCOLS = 16;
const NAME = /^[0-9a-z](?:[0-9a-z.-]{0,251}[0-9a-z])?$/;

/**
 * Reads the first bytes of a connection: the message, however many records and pieces it comes in; "more" where its end is still to come;
 * undefined where it is none, or longer than `CLIENT_HELLO_BYTES_MAX`. Strict: what two readers may read in two ways is none.
 */
export function readClientHello(bytes: Uint8Array): ClientHello | "more" | undefined {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [kind, version = 3] = bytes.subarray(at);
    if (kind !== HANDSHAKE || version !== 3) return undefined;
    if (bytes.length - at < RECORD_HEAD_BYTES) break;
    const length = (bytes[at + 3]! << 8) | bytes[at + 4]!;
    if (length === 0 || length > RECORD_BYTES_MAX) return undefined;
    pieces.push(bytes.subarray(at + RECORD_HEAD_BYTES, at + RECORD_HEAD_BYTES + length));
    at += RECORD_HEAD_BYTES + length;
  }
  const message = Buffer.concat(pieces);
  if (message.length > 0 && message[0] !== CLIENT_HELLO) return undefined;
  const wanted = message.length < 4 ? undefined : 4 + message.readUIntBE(1, 3);
  if ((wanted ?? 0) > CLIENT_HELLO_BYTES_MAX) return undefined;
  if (wanted === undefined || message.length < wanted) {
    return bytes.length < CLIENT_HELLO_BYTES_MAX ? "more" : undefined;
  }
  return readBody(message.subarray(4, wanted));
}

/** The same for `awaitBeginning`; no byte is taken away. */
export function readingOfHello(bytes: Uint8Array): Reading<ClientHello> {
  const hello = readClientHello(bytes);
  return hello === "more" || hello === undefined ? hello : { found: hello, takenBytes: 0 };
}

/** The hello that a connection begins with; what was read is put back. Undefined where none comes in time, or the connection ends. */
export function awaitClientHello(stream: Duplex, timers: Timers): Promise<ClientHello | undefined> {
  return awaitBeginning(stream, CLIENT_HELLO_TIMEOUT_MS, timers, readingOfHello);
}

function readBody(body: Buffer): ClientHello | undefined {
  const reader = new Reader(body);
  reader.skip(2 + 32);
  reader.block(1);
  reader.block(2);
  reader.block(1);
  // Without extensions the message may end here.
  const extensions = reader.isAtEnd ? new Reader(Buffer.alloc(0)) : new Reader(reader.block(2));
  let serverName: string | undefined;
  let protocols: readonly string[] | undefined = [];
  const kinds = new Set<number>();
  while (!extensions.isAtEnd && !extensions.isBroken) {
    const kind = extensions.number(2);
    const content = extensions.block(2);
    if (kinds.has(kind)) return undefined;
    kinds.add(kind);
    if (kind === PROTOCOLS) protocols = readProtocols(content);
    if (kind === SERVER_NAME) serverName = readServerName(content);
    if (protocols === undefined || (kind === SERVER_NAME && serverName === undefined)) return undefined;
  }
  return reader.isBroken || extensions.isBroken || !reader.isAtEnd ? undefined : { serverName, protocols };
}

/** The one name of the extension; undefined where there is none, or more. */
function readServerName(content: Buffer): string | undefined {
  const outer = new Reader(content);
  const list = new Reader(outer.block(2));
  const kind = list.number(1);
  const name = list.block(2).toString("latin1").toLowerCase();
  const isWhole = outer.isAtEnd && list.isAtEnd && !outer.isBroken && !list.isBroken;
  return isWhole && kind === HOST_NAME && NAME.test(name) ? name : undefined;
}

/** The names of the extension; undefined where it is malformed. */
function readProtocols(content: Buffer): readonly string[] | undefined {
  const outer = new Reader(content);
  const list = new Reader(outer.block(2));
  const names: string[] = [];
  while (!list.isAtEnd && !list.isBroken) names.push(list.block(1).toString("latin1"));
  const isWhole = outer.isAtEnd && !outer.isBroken && !list.isBroken;
  return isWhole && names.length > 0 && !names.includes("") ? names : undefined;
}

/** Reads numbers and blocks with their length before them; broken for good where one does not fit. */
class Reader {
  isBroken = false;
  #at = 0;

  constructor(private readonly bytes: Buffer) {}

  get isAtEnd(): boolean {
    return this.#at === this.bytes.length;
  }

  skip(sizeBytes: number): void {
    if (this.#at + sizeBytes > this.bytes.length) this.isBroken = true;
    else this.#at += sizeBytes;
  }

  number(sizeBytes: number): number {
    const at = this.#at;
    this.skip(sizeBytes);
    return this.isBroken ? 0 : this.bytes.readUIntBE(at, sizeBytes);
  }

  block(lengthBytes: number): Buffer {
    const sizeBytes = this.number(lengthBytes);
    const at = this.#at;
    this.skip(sizeBytes);
    return this.isBroken ? Buffer.alloc(0) : this.bytes.subarray(at, at + sizeBytes);
  }
}
