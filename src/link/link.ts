/**
 * A link carries messages of bytes to one neighbour and back, in order, each whole. It knows nothing of frames: the same interface
 * stands over WebSockets, an in-memory pair and the simulator's links, and `test/link/contract.ts` holds all of them to it.
 */
export interface Link {
  /** The other end, for people: `203.0.113.7:41823`, `wss://relay.example:18100/`, `memory:b`. */
  readonly remote: string;
  /** True where this end opened the link. */
  readonly dialled: boolean;

  /**
   * Sends one message; the link owns `message` from now on. False means that it is taken but the link is full: send no more until
   * `onWritable`. Sending on a closed link does nothing and gives false.
   */
  send(message: Uint8Array): boolean;

  /**
   * Closes, telling the other end why (`wire/codes.ts`). Messages already sent may still arrive there; here none does any more.
   * `onClose` follows once, later, also here. A second call does nothing.
   */
  close(code: number, reason: string): void;

  /**
   * Called for each message, never before it is set and never after `onClose`. Reading begins when it is first set. The receiver
   * owns the bytes and may edit them, but not `set` beyond them: neighbours may lie in the same buffer.
   */
  onMessage: ((message: Uint8Array) => void) | undefined;
  /** Called when a link that was full takes messages again. */
  onWritable: (() => void) | undefined;
  /** Called once. `code` is the other end's or our own close code, undefined where the connection just ended. */
  onClose: ((code: number | undefined, reason: string) => void) | undefined;
}

/** Time as the driver gives it, so that backoff and timeouts can be stepped in tests. */
export interface Timers {
  /** Milliseconds that only grow. */
  nowMs(): number;
  /** Calls `callback` once after `delayMs`; the function it gives cancels that. */
  after(delayMs: number, callback: () => void): () => void;
}
