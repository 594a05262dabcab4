import { CLOSE_TEXT, CloseCode } from "../wire/codes.js";
import { LINK_LIMITS, type LinkLimits } from "./config.js";
import type { Link, Timers } from "./link.js";

interface MemoryPairOptions {
  /** Delivers by `after(0)`, for virtual time; without, by `setImmediate`. */
  readonly timers?: Timers;
  readonly limits?: Partial<LinkLimits>;
}

/** Two links back to back in one process, the first of them dialled. */
export function memoryPair(options: MemoryPairOptions = {}): [MemoryLink, MemoryLink] {
  const { timers } = options;
  const defer = (callback: () => void): void => {
    if (timers === undefined) setImmediate(callback);
    else timers.after(0, callback);
  };
  return MemoryLink.pair({ ...LINK_LIMITS, ...options.limits }, defer);
}

/** One end of a pair. Messages arrive later, in order, with the same back-pressure as over a socket. */
export class MemoryLink implements Link {
  onWritable: (() => void) | undefined;
  onClose: ((code: number | undefined, reason: string) => void) | undefined;

  #peer!: MemoryLink;
  #onMessage: ((message: Uint8Array) => void) | undefined;
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #peerClose: { readonly code: number; readonly reason: string } | undefined;
  #paused = false;
  #scheduled = false;
  #full = false;
  #open = true;

  private constructor(
    readonly remote: string,
    readonly dialled: boolean,
    private readonly limits: LinkLimits,
    private readonly defer: (callback: () => void) => void,
  ) {}

  static pair(limits: LinkLimits, defer: (callback: () => void) => void): [MemoryLink, MemoryLink] {
    const a = new MemoryLink("memory:b", true, limits, defer);
    const b = new MemoryLink("memory:a", false, limits, defer);
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  get onMessage(): ((message: Uint8Array) => void) | undefined {
    return this.#onMessage;
  }

  set onMessage(handler: ((message: Uint8Array) => void) | undefined) {
    this.#onMessage = handler;
    this.#schedule();
  }

  /** Bytes that wait at the other end to be read. */
  get bufferedBytes(): number {
    return this.#peer.#inboxBytes;
  }

  send(message: Uint8Array): boolean {
    const peer = this.#peer;
    if (!this.#open) return false;
    if (!peer.#open) return true;
    peer.#inbox.push(message);
    peer.#inboxBytes += message.length;
    peer.#schedule();
    if (peer.#inboxBytes <= this.limits.sendHighBytes) return true;
    this.#full = true;
    if (peer.#inboxBytes > this.limits.sendBytesMax) this.close(CloseCode.SLOW, CLOSE_TEXT[CloseCode.SLOW]);
    return false;
  }

  close(code: number, reason: string): void {
    const peer = this.#peer;
    if (!this.#open) return;
    this.#end(code, reason);
    peer.#peerClose = { code, reason };
    peer.#schedule();
  }

  /** This end stops reading, as a peer does that hangs. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || !this.#open) return;
    this.#scheduled = true;
    this.defer(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const messages = this.#inbox;
    let count = 0;
    while (count < messages.length && this.#readable()) {
      const message = messages[count++]!;
      this.#inboxBytes -= message.length;
      this.#onMessage?.(message);
    }
    messages.splice(0, count);
    if (!this.#open || this.#paused) return;
    this.#peer.#handleDrain();
    if (this.#peerClose !== undefined && messages.length === 0) this.#end(this.#peerClose.code, this.#peerClose.reason);
  }

  #readable(): boolean {
    return this.#open && !this.#paused && this.#onMessage !== undefined;
  }

  #handleDrain(): void {
    if (!this.#full || !this.#open || this.bufferedBytes > 0) return;
    this.#full = false;
    this.onWritable?.();
  }

  #end(code: number, reason: string): void {
    this.#open = false;
    this.#inbox = [];
    this.#inboxBytes = 0;
    this.defer(() => this.onClose?.(code, reason));
  }
}
