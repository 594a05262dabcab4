import type { Session } from "../session/session.js";
import { SessionStream, type StreamHost } from "./session-stream.js";

/** Why a session ended: `session/codes.ts`, and a text for people. */
export interface SessionEnd {
  readonly code: number;
  readonly reason: string;
}

/** An established session with another node, as promises and streams. Made by `Overlay`. */
export class OverlaySession {
  readonly remoteKey: Uint8Array;
  /** True where this node asked for the session. */
  readonly initiator: boolean;
  /** The stream that this node asks on. */
  readonly ask: SessionStream;
  /** The stream that the other node asks on. */
  readonly answer: SessionStream;
  /** Resolves once, when the session ended on either side. */
  readonly closed: Promise<SessionEnd>;

  readonly #session: Session;
  readonly #host: StreamHost;
  readonly #streams: readonly SessionStream[];
  #ended!: (end: SessionEnd) => void;

  constructor(session: Session, host: StreamHost) {
    this.#session = session;
    this.#host = host;
    this.remoteKey = session.remoteKey;
    this.initiator = session.initiator;
    this.#streams = [new SessionStream(session, 0, host), new SessionStream(session, 1, host)];
    this.ask = this.#streams[this.initiator ? 0 : 1]!;
    this.answer = this.#streams[this.initiator ? 1 : 0]!;
    this.closed = new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  /** Stream 0 is its initiator's to ask on, 1 its responder's. */
  stream(number: number): SessionStream {
    return this.#streams[number]!;
  }

  /** Time since the other node was last heard, in ms. */
  get silenceMs(): number {
    return this.#host.nowMs() - this.#session.heardMs;
  }

  /** Ends the session and tells the other node. What it has not read by then is lost. `reason` is ASCII, at most 200 bytes. */
  close(code: number, reason: string): void {
    this.#session.close(code, reason, this.#host.nowMs());
    this.#host.poll();
  }

  /** The session ended. */
  handleClosed(end: SessionEnd): void {
    for (const stream of this.#streams) stream.handleClosed(end.reason);
    this.#ended(end);
  }
}
