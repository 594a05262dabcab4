import type { DropReason } from "../wire/codes.js";

/** How many frames went no further for each reason, at the index `-reason`: `RouterStats.drops`. */
export type Drops = number[];

/** Counts a frame, or `frames` of them, and gives the reason back. */
export function countDrop<R extends DropReason>(drops: Drops, reason: R, frames = 1): R {
  drops[-reason]! += frames;
  return reason;
}
