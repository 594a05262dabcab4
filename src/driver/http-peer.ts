import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import type { Timers } from "../link/link.js";
import { concatBytes } from "../wire/bytes.js";
import { base32Encode } from "../wire/name.js";
import { ALIVE_PING_MS, REQUESTS_OPEN_MAX } from "./config.js";
import { OverlayError } from "./errors.js";
import { guardBodies, http2ClientOver, http2ServerOver, type RequestHandler } from "./http2.js";
import { decodeNameRecord, encodeNameRecord } from "./name-record.js";
import type { OverlaySession } from "./overlay-session.js";
import { paceBody } from "./paced-body.js";

/** Codes with which this layer ends a session: `SessionCode.APPLICATION` and up. Numbers are never used twice. */
export const PeerCode = {
  /** The other node did not state its server name as it must. */
  NAME_REFUSED: 256,
  /** HTTP/2 on one of the streams ended. */
  HTTP_ENDED: 257,
  /** Nothing was heard of the other node for longer than its user waits. */
  SILENT: 258,
} as const;

export interface HttpPeerOptions {
  /** This node's own server name. */
  readonly name: string;
  /** Answers what the other node asks. */
  readonly handler: RequestHandler;
  readonly timers: Timers;
}

/**
 * Another node as a place to send HTTP requests to and to take them from: HTTP/2 on both streams of a session. Each side first states
 * its server name on each stream; nothing that follows is looked at unless it is a name of the session's key, or a classic one, and the same
 * on both. Requests need not wait for that: the key alone says who reads them.
 */
export class HttpPeer {
  /** The server name that the other node stated, a classic one unproven; rejects with an `OverlayError` where the session ends without one. */
  readonly remoteName: Promise<string>;
  /** That name, once it was stated. */
  stated: string | undefined;
  /** Requests that were not made because `REQUESTS_OPEN_MAX` were open. */
  requestsRefused = 0;

  readonly #session: OverlaySession;
  readonly #timers: Timers;
  readonly #client: ClientHttp2Session;
  /** Requests that are not closed. */
  #open = 0;
  #cancelPing: (() => void) | undefined;
  #handleStated!: (name: string) => void;

  constructor(session: OverlaySession, { name, handler, timers }: HttpPeerOptions) {
    this.#session = session;
    this.#timers = timers;
    this.remoteName = new Promise((resolve, reject) => {
      this.#handleStated = resolve;
      session.closed.then(({ reason }) => reject(new OverlayError("PINYON_SESSION_ENDED", reason)));
    });
    // Whoever does not ask for the name hears of the session's end by other ways.
    this.remoteName.catch(() => {});
    const record = encodeNameRecord(name);
    for (const stream of [session.ask, session.answer]) {
      stream.head = this.#recordReader();
      stream.write(record);
    }
    this.#client = http2ClientOver(session.ask, base32Encode(session.remoteKey));
    const server = http2ServerOver(session.answer, handler);
    for (const half of [this.#client, server]) {
      half.once("close", () => this.#end());
    }
  }

  /**
   * Asks. What it gives takes the body of the request and emits `response`, then the body of the answer. Where either breaks off, `error`
   * comes in place of `end`; `close` comes always, and last. It is given up by `destroy`. `endStream` says that the request has no body.
   * Throws `PINYON_SESSION_ENDED` where it has, and `PINYON_BUSY`, counted, where too many requests are open.
   */
  request(
    headers: OutgoingHttpHeaders,
    options: { endStream?: boolean; signal?: AbortSignal } = {},
  ): ClientHttp2Stream {
    const { closed, destroyed } = this.#client;
    // HTTP/2 that failed does not close before the other node has read what was sent: it may never do that.
    if (destroyed) this.#end();
    if (closed || destroyed) throw new OverlayError("PINYON_SESSION_ENDED");
    if (this.#open >= REQUESTS_OPEN_MAX) {
      this.requestsRefused++;
      throw new OverlayError("PINYON_BUSY");
    }
    const request = this.#client.request(headers, options);
    guardBodies(request);
    paceBody(request, this.#session.ask);
    this.#open++;
    request.once("close", () => {
      if (--this.#open === 0) this.#cancelPing?.();
    });
    if (this.#open === 1) this.#pingLater();
    return request;
  }

  /** Time since the other node was last heard, in ms. Pings it. */
  silenceMs(): number {
    if (!this.#client.destroyed) this.#client.ping(() => {});
    return this.#session.silenceMs;
  }

  /** Ends the session, of which nothing was heard for too long. */
  giveUp(): void {
    this.#session.close(PeerCode.SILENT, "nothing was heard");
  }

  /**
   * An answer may take minutes in which nothing is sent, and a session notices only by what it sends that the other node is gone: while
   * requests are open it is pinged. That also keeps the session from ending as idle.
   */
  #pingLater(): void {
    this.#cancelPing = this.#timers.after(ALIVE_PING_MS, () => {
      if (this.#client.destroyed) return;
      this.#client.ping(() => {});
      this.#pingLater();
    });
  }

  /** Reads the record at the start of one stream; gives what comes after it. */
  #recordReader(): (bytes: Uint8Array) => Uint8Array | undefined {
    let seen: Uint8Array = new Uint8Array(0);
    return (bytes) => {
      seen = concatBytes(seen, bytes);
      const record = decodeNameRecord(seen, this.#session.remoteKey);
      if (record === undefined) return undefined;
      if (record instanceof OverlayError) return this.#refuse(record);
      if (this.stated !== undefined && record.name !== this.stated) {
        return this.#refuse(new OverlayError("PINYON_NAME_MISMATCH", `${record.name}, after ${this.stated}`));
      }
      this.stated = record.name;
      this.#handleStated(record.name);
      return seen.subarray(record.sizeBytes);
    };
  }

  #end(): void {
    this.#session.close(PeerCode.HTTP_ENDED, "HTTP/2 ended");
  }

  #refuse(error: OverlayError): undefined {
    this.#session.close(PeerCode.NAME_REFUSED, error.message.slice(0, 200));
  }
}
