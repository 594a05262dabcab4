import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import { Budget } from "../wire/budget.js";
import { CLOSE_TEXT, CloseCode } from "../wire/codes.js";
import { LINK_LIMITS, type LinkLimits } from "./config.js";
import type { Link, Timers } from "./link.js";
import type { LinkStats } from "./stats.js";

/** A link's close code on the wire is this plus the code: 4000 to 4999 are private use (RFC 6455, 7.4.2). */
const CLOSE_BASE = 4_000;
/** UTF-8 bytes of a reason in a close frame: 125 of a control frame less the code. */
const REASON_BYTES_MAX = 123;
const REASON_BUFFER = new Uint8Array(REASON_BYTES_MAX);
const ENCODER = new TextEncoder();

/** So many messages wait for the socket as they came; more that are small in the chunk they came in are copied, or they hold the chunk. */
const UNCOPIED_MESSAGES_MAX = 64;

const SEND_OPTIONS = { binary: true, compress: false, fin: true } as const;

/** Our code, and counter, for each code with which `ws` closes by itself when the other end breaks RFC 6455 or its bounds. */
const FRAMING_BREACHES: ReadonlyMap<number | undefined, readonly [CloseCode, keyof LinkStats]> = new Map([
  [1002, [CloseCode.MALFORMED, "malformedMessages"]],
  [1007, [CloseCode.MALFORMED, "malformedMessages"]],
  [1008, [CloseCode.FLOOD, "fragmentBombs"]],
  [1009, [CloseCode.OVERSIZE, "oversizeMessages"]],
]);

/** A `ws` socket that tells our close codes where `ws` would tell those of RFC 6455. */
export class LinkSocket extends WebSocket {
  /** Set where `ws` itself closed: the code in RFC 6455 terms. */
  breach: number | undefined;

  override close(code?: number, reason?: string | Buffer): void {
    const breach = reason === undefined ? FRAMING_BREACHES.get(code) : undefined;
    if (breach === undefined) {
      super.close(code, reason);
    } else {
      this.breach = code;
      super.close(CLOSE_BASE + breach[0], CLOSE_TEXT[breach[0]]);
    }
  }

  /** Closes with one of our codes; the reason is cut to what a close frame holds. */
  refuse(code: number, reason: string): void {
    const { read } = ENCODER.encodeInto(reason, REASON_BUFFER);
    super.close(CLOSE_BASE + code, reason.slice(0, read));
  }
}

export interface WebSocketLinkOptions {
  readonly remote: string;
  readonly dialled: boolean;
  readonly timers: Timers;
  readonly stats: LinkStats;
  readonly limits?: Partial<LinkLimits> | undefined;
}

/**
 * A link over an open WebSocket. Messages sent in one tick leave in one write: the stream below is corked at the first and
 * uncorked at `process.nextTick`. Nothing is read before `onMessage` is set.
 */
export class WebSocketLink implements Link {
  readonly remote: string;
  readonly dialled: boolean;
  onWritable: (() => void) | undefined;
  onClose: ((code: number | undefined, reason: string) => void) | undefined;

  readonly #socket: LinkSocket;
  readonly #stream: Duplex;
  readonly #timers: Timers;
  readonly #stats: LinkStats;
  readonly #limits: LinkLimits;
  readonly #pings: Budget;
  #onMessage: ((message: Uint8Array) => void) | undefined;
  #closing: { readonly code: number; readonly reason: string } | undefined;
  #corked = false;
  /** Messages sent since nothing waited for the socket. */
  #waitingCount = 0;
  #full = false;
  #cancelStall: (() => void) | undefined;

  /** `stream` is what `socket` writes to: the TCP or TLS socket. */
  constructor(socket: LinkSocket, stream: Duplex, options: WebSocketLinkOptions) {
    this.remote = options.remote;
    this.dialled = options.dialled;
    this.#socket = socket;
    this.#stream = stream;
    this.#timers = options.timers;
    this.#stats = options.stats;
    this.#limits = { ...LINK_LIMITS, ...options.limits };
    this.#pings = new Budget(this.#limits.pingsPerSecond, this.#limits.pingBurst, options.timers.nowMs());

    socket.pause();
    socket.on("message", (data: Buffer, isBinary) => this.#handleMessage(data, isBinary));
    socket.on("ping", (data) => this.#handlePing(data));
    socket.on("pong", () => this.#takePing());
    socket.on("close", (code, reason) => this.#handleClose(code, reason));
    // What went wrong reaches `onClose`: "close" follows every "error".
    socket.on("error", () => {});
    stream.on("drain", () => this.#handleDrain());
  }

  get onMessage(): ((message: Uint8Array) => void) | undefined {
    return this.#onMessage;
  }

  set onMessage(handler: ((message: Uint8Array) => void) | undefined) {
    this.#onMessage = handler;
    if (handler !== undefined) this.#socket.resume();
  }

  send(message: Uint8Array): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    if (!this.#corked) {
      this.#corked = true;
      this.#stream.cork();
      process.nextTick(this.#uncork);
    }
    if (this.#socket.bufferedAmount === 0) this.#waitingCount = 0;
    const isHolding = ++this.#waitingCount > UNCOPIED_MESSAGES_MAX && message.buffer.byteLength > 2 * message.length;
    this.#socket.send(isHolding ? message.slice() : message, SEND_OPTIONS);
    const bufferedBytes = this.#socket.bufferedAmount;
    if (bufferedBytes <= this.#limits.sendHighBytes) return true;
    if (bufferedBytes > this.#limits.sendBytesMax) this.#closeSlow("overflows");
    else if (!this.#full) this.#becomeFull();
    return false;
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#closing = { code, reason };
    this.#cancelStall?.();
    this.#socket.refuse(code, reason);
    // The other end's answer is read even where nothing was.
    this.#socket.resume();
  }

  readonly #uncork = (): void => {
    this.#corked = false;
    this.#stream.uncork();
  };

  #becomeFull(): void {
    this.#full = true;
    this.#watchStall();
  }

  #watchStall(): void {
    const beforeBytes = this.#socket.bufferedAmount;
    this.#cancelStall = this.#timers.after(this.#limits.stallTimeoutMs, () => {
      if (this.#socket.bufferedAmount < beforeBytes) this.#watchStall();
      else this.#closeSlow("stalls");
    });
  }

  #handleDrain(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#cancelStall?.();
    if (this.#socket.readyState === WebSocket.OPEN) this.onWritable?.();
  }

  #handleMessage(data: Buffer, isBinary: boolean): void {
    if (this.#closing !== undefined) return;
    if (isBinary) {
      // A plain Uint8Array: `slice` of a Buffer is a view, and the pure folders take it for a copy. Neighbouring messages may
      // lie in the same chunk, each in bytes of its own.
      this.#onMessage?.(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    } else {
      this.#stats.textMessages += 1;
      this.close(CloseCode.MALFORMED, CLOSE_TEXT[CloseCode.MALFORMED]);
    }
  }

  /** Pings are answered (RFC 6455, 5.5.3) where the link has room for it. */
  #handlePing(data: Buffer): void {
    if (this.#takePing() && this.#socket.bufferedAmount <= this.#limits.sendHighBytes) this.#socket.pong(data);
  }

  #takePing(): boolean {
    if (this.#closing !== undefined) return false;
    if (this.#pings.take(this.#timers.nowMs())) return true;
    this.#stats.pingFloods += 1;
    this.close(CloseCode.FLOOD, CLOSE_TEXT[CloseCode.FLOOD]);
    return false;
  }

  #handleClose(code: number, reason: Buffer): void {
    this.#cancelStall?.();
    const breach = FRAMING_BREACHES.get(this.#socket.breach);
    if (breach !== undefined) this.#stats[breach[1]] += 1;

    if (this.#closing !== undefined) this.onClose?.(this.#closing.code, this.#closing.reason);
    else if (breach !== undefined) this.onClose?.(breach[0], CLOSE_TEXT[breach[0]]);
    else this.onClose?.(...readClose(code, reason.toString()));
  }

  #closeSlow(counter: "stalls" | "overflows"): void {
    this.#stats[counter] += 1;
    this.close(CloseCode.SLOW, CLOSE_TEXT[CloseCode.SLOW]);
  }
}

/** What the other end said, fit for a log line: our code where it has one, else the code of RFC 6455 in words. */
export function readClose(code: number, reason: string): [code: number | undefined, reason: string] {
  const text = reason.replace(/\p{Cc}/gu, " ");
  if (code >= CLOSE_BASE && code < CLOSE_BASE + 1_000) return [code - CLOSE_BASE, text];
  if (code === 1005 || code === 1006) return [undefined, "the connection ended"];
  return [undefined, `the other end closed the WebSocket with code ${code}${text === "" ? "" : `: ${text}`}`];
}
