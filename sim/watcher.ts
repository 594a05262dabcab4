import type { NodeEvent } from "../src/node/events.js";
import type { Host } from "./host.js";
import type { LinkEnd } from "./link.js";

/** Somebody who looks on while a network runs, and changes nothing: whatever it wants to hear of. */
export interface Watcher {
  /** A message leaves the node; it will be edited in place where it arrives. */
  handleTransmit?(host: Host, end: LinkEnd, message: Uint8Array): void;
  /** A message arrives, and the node has not seen it yet. */
  handleDelivery?(host: Host, end: LinkEnd, message: Uint8Array): void;
  handleEvent?(host: Host, event: NodeEvent): void;
  /** The node took an input and did all that follows from it at once. */
  handleSettled?(host: Host): void;
  /** The node is there from now on, or no longer. */
  handleStart?(host: Host): void;
  handleCrash?(host: Host): void;
}
