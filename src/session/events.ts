import type { Session } from "./session.js";

/** What a node's sessions tell it; polled from the `Endpoint`. */
export type SessionEvent =
  /** The session carries streams from now on. `initiator` says who asks on which: the initiator on 0, the responder on 1. */
  | {
      readonly type: "established";
      readonly session: Session;
      readonly remoteKey: Uint8Array;
      readonly initiator: boolean;
    }
  /** Bytes came to a stream that had none: read until there are none. */
  | { readonly type: "readable"; readonly session: Session; readonly stream: number }
  /** `write` took less than it was given, and takes more now. */
  | { readonly type: "writable"; readonly session: Session; readonly stream: number }
  /** The peer ended the stream, and all its bytes were read. */
  | { readonly type: "finished"; readonly session: Session; readonly stream: number }
  /** The peer gave the stream up, both ways. */
  | { readonly type: "reset"; readonly session: Session; readonly stream: number; readonly code: number }
  /** The session ended, on either side or by itself (`codes.ts`). The last event of a session. */
  | { readonly type: "closed"; readonly session: Session; readonly code: number; readonly reason: string }
  /**
   * The way to the peer is in doubt: a probe timeout passed, `ptoCount` of them in a row; or the peer sent again what came already, so
   * that it seems to miss acknowledgements, which counts as the first.
   */
  | {
      readonly type: "path-doubt";
      readonly session: Session;
      readonly remoteKey: Uint8Array;
      readonly ptoCount: number;
    }
  /** The other node says something about the way. */
  | { readonly type: "note"; readonly session: Session; readonly bytes: Uint8Array }
  /** The peer's locator came in a handshake. It may be old; its signature is the node's affair. */
  | { readonly type: "locator"; readonly remoteKey: Uint8Array; readonly locator: Uint8Array };
