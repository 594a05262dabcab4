import type { ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";

/*
 * What federation needs of the network below it. The daemon joins the two; the tests of this folder bring a network of their own.
 */

/** Another node, by an open session with it. */
export interface RemoteNode {
  readonly key: Uint8Array;
  /** The server name that it stated: a name of its key, or a classic one, which that proves nothing of; rejects where the session ended without. */
  readonly name: Promise<string>;
  /** That name, once it was stated. */
  readonly stated: string | undefined;
  /**
   * Asks it, over HTTP/2. What it gives takes the request's body and emits `response`, then the answer's body; where either breaks off,
   * `error` comes in place of `end`; `close` comes always and last. It is given up by `destroy`. Throws an error with the code
   * `PINYON_SESSION_ENDED`, where it is safe to connect anew, or `PINYON_BUSY`.
   */
  request(headers: OutgoingHttpHeaders, options?: { endStream?: boolean }): ClientHttp2Stream;
  /** Time since it was last heard, in ms; has it give a sign of life, which comes within a round trip. */
  silenceMs(): number;
  /** Ends the session: what is open breaks off, and the next `connect` makes a new one. */
  giveUp(): void;
}

/** The network of nodes. */
export interface FederationOverlay {
  /** The node with this key. Rejects with an error with a code: `PINYON_UNREACHABLE` and others of the driver. */
  connect(key: Uint8Array): Promise<RemoteNode>;
}

/** Time: `after` calls back once after `delayMs`, and the function that it gives cancels that. */
export interface Timers {
  nowMs(): number;
  after(delayMs: number, callback: () => void): () => void;
}
