import { DROP_REASON_COUNT } from "../wire/codes.js";

/** Counters of a router, polled by whoever runs it; they only grow. */
export interface RouterStats {
  /** DATA frames sent on, and those for this node. */
  forwarded: number;
  delivered: number;
  /** Frames that went no further, indexed by `-DropReason`. */
  readonly drops: number[];
  /** Control frames that came in, indexed by kind. */
  readonly control: number[];
  heartbeatsIgnored: number;
  announcesUnread: number;
  /** Announcements, heartbeats and reports not checked because their neighbour's budget of signatures was spent. */
  checksDelayed: number;
  /** Links closed because the neighbour sent more frames or registrations than its budget. */
  floods: number;
  parentChanges: number;
  rootChanges: number;
  rootsDead: number;
  /** (root, seq) pairs forgotten for newer ones. */
  rootsForgotten: number;
  seqsGiven: number;
  rootLostsIgnored: number;
  seqRequestsIgnored: number;
  regsDelayed: number;
  regsUnattached: number;
  /** REG entries refused, indexed by `RegRefusal`. */
  readonly regsRefused: number[];
  /** Refusals that this node was told, and those among them that came too fast. */
  regRefusals: number;
  refusalsIgnored: number;
  /** Refusals that a child was not told, since it was told many. */
  refusalsUntold: number;
  violations: number;
}

export function newRouterStats(): RouterStats {
  return {
    forwarded: 0,
    delivered: 0,
    drops: new Array<number>(DROP_REASON_COUNT + 1).fill(0),
    control: new Array<number>(64).fill(0),
    heartbeatsIgnored: 0,
    announcesUnread: 0,
    checksDelayed: 0,
    floods: 0,
    parentChanges: 0,
    rootChanges: 0,
    rootsDead: 0,
    rootsForgotten: 0,
    seqsGiven: 0,
    rootLostsIgnored: 0,
    seqRequestsIgnored: 0,
    regsDelayed: 0,
    regsUnattached: 0,
    regsRefused: [0, 0, 0],
    regRefusals: 0,
    refusalsIgnored: 0,
    refusalsUntold: 0,
    violations: 0,
  };
}
