import type { SessionConfig } from "./config.js";
import type { SessionEvent } from "./events.js";
import type { ReceiveMemory } from "./receive-stream.js";
import type { SentPacketPool } from "./sent-packets.js";
import type { Session } from "./session.js";

/** What a session needs of the node's `Endpoint`. */
export interface SessionHost {
  readonly config: SessionConfig;
  readonly pool: SentPacketPool;
  readonly memory: ReceiveMemory;
  /** Frames are put together here. */
  readonly frames: Uint8Array;
  /** The session may have something to send, and another deadline. */
  wake(session: Session): void;
  /** The session may have another deadline. */
  touch(session: Session): void;
  emit(event: SessionEvent): void;
  /** The peer showed that it holds the keys of the handshake that we began. */
  handleConfirmed(session: Session): void;
  /** The session is of no more use to anybody: CLOSING or ENDED. */
  handleClosed(session: Session): void;
  /** The session is ENDED. */
  handleEnded(session: Session): void;
}
