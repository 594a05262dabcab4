import type { StoredLocator } from "../router/locators.js";
import type { SessionEvent } from "../session/events.js";
import type { CloseCode } from "../wire/codes.js";

/** One hop of a traced route: who is there, how far from us, and the port by which the node before it sends to it. */
export interface Hop {
  readonly key: Uint8Array;
  readonly rttMs: number;
  readonly port: number;
}

interface Answered {
  /** The number that the question was given. */
  readonly request: number;
  readonly key: Uint8Array;
  readonly ok: boolean;
  /** Why there is no answer, where `ok` is false. */
  readonly reason: string | undefined;
}

/** The answers to `ping`, `trace` and `lookup`. */
export type RequestEvent =
  | ({ readonly type: "ping"; readonly rttMs: number; readonly hops: number } & Answered)
  /** A hop that did not answer is undefined. */
  | ({ readonly type: "trace"; readonly hops: readonly (Hop | undefined)[] } & Answered)
  | ({
      readonly type: "lookup";
      /** Where the key is; see `wire/locator.ts`. */
      readonly locator: Uint8Array | undefined;
      readonly route: Uint16Array;
      readonly rttMs: number;
    } & Answered);

/** What a node tells its driver. */
export type NodeEvent =
  /** The hello of a link is complete: the neighbour is a peer now. */
  | { readonly type: "link-up"; readonly link: number; readonly key: Uint8Array; readonly port: number }
  /** It is one no longer. `code` says why this node ends the link; undefined where it just ended. */
  | {
      readonly type: "link-down";
      readonly link: number;
      readonly key: Uint8Array;
      readonly port: number;
      readonly code: CloseCode | undefined;
      readonly reason: string;
    }
  /** The driver closes the link and tells the other side `code` and `reason`. The node knows nothing of it any more. */
  | { readonly type: "close"; readonly link: number; readonly code: CloseCode; readonly reason: string }
  /** To be kept on disk, and given back as `storedEpoch` at the next start. */
  | { readonly type: "persist"; readonly epoch: number }
  /** To be kept on disk for a while, and given back among `storedLocators`: where a key was last. A hint, never needed. */
  | { readonly type: "locator"; readonly locator: StoredLocator }
  /** A tree has another root now; with undefined none that this node knows. */
  | { readonly type: "root"; readonly tree: number; readonly key: Uint8Array | undefined }
  | RequestEvent
  /** What a session tells whoever uses it. Its doubts about its way, notes about it and its peer's locator are the node's own affair. */
  | Exclude<SessionEvent, { type: "path-doubt" | "locator" | "note" }>;
