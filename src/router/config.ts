/**
 * Local limits and times of the trees and subtree tables. Each node may have its own; none is part of the protocol. Times are
 * milliseconds. The figures behind them stand in PROTOCOL.md, "Trees".
 */
export interface TreeConfig {
  /** Between two seqs of a root. */
  readonly heartbeatMs: number;
  /** A root without a new seq for this long is dead: 3.5 heartbeats. */
  readonly rootTimeoutMs: number;
  /** Between two ANNOUNCEs of one tree to one neighbour, and between two heartbeats. */
  readonly announceGapMs: number;
  /** Between two rounds of ANNOUNCE_REQUEST while there is no parent. */
  readonly askGapMs: number;
  /** How long old coordinates are kept while no parent is feasible. */
  readonly orphanMs: number;
  /** Between two SEQ_REQUESTs of one tree: the own, and those passed on, each. */
  readonly seqRequestGapMs: number;
  /** Between two seqs that a root gives because somebody asked, and between two reports of a lost root that go on. */
  readonly seqAnswerGapMs: number;
  /** A lost root has this long to answer, and `lostDelayFactor` times the own delay to it, and no more than `lostMaxMs`. */
  readonly lostMs: number;
  readonly lostDelayFactor: number;
  readonly lostMaxMs: number;
  /** From one edge of this node to the next below the same parent. */
  readonly renewGapMs: number;
  /** From the choice of a parent to the ATTACH that tells it. */
  readonly attachMs: number;
  /** Changes of a subtree table are sent up together this long after the first. */
  readonly batchMs: number;
  /** A key that was lost with its link is kept upwards this long, in case it comes back elsewhere. */
  readonly lostKeyMs: number;
  /** Entries that a parent refused are offered to it again after this long, then after twice as long each time, up to the larger. */
  readonly offerMs: number;
  readonly offerMaxMs: number;
  /** Keys that one child may register: 250 bytes each, and 120 more where a parent is told of them. */
  readonly childKeysMax: number;
  /** Keys in the sets of one subtree table, those below two children twice: so 25 MB a tree at most, 37 MB where a parent is told. */
  readonly treeKeysMax: number;
  /** Entries of REG frames of one neighbour that wait for its budget of signatures, a frame counting as one: 210 bytes each. */
  readonly waitingEntriesMax: number;
  /** Refused entries that one neighbour is told of, or tells of: at once, and a second. */
  readonly refusalsBurst: number;
  readonly refusalsPerSecond: number;
  /**
   * Signatures that one neighbour may have checked, for its announcements and for its registrations each: at once, and a second.
   * 56 µs each in native form, 6 ms in portable form. A node sends half as many entries of REG to its parents, since each has two.
   */
  readonly signaturesBurst: number;
  readonly signaturesPerSecond: number;
  /** Control frames that one neighbour may send: at once, and a second. */
  readonly controlBurst: number;
  readonly controlPerSecond: number;
  /** (root, seq) pairs remembered for feasibility, and as many for dead roots: 200 bytes each. */
  readonly rootsMax: number;
}

export const TREE_DEFAULTS: TreeConfig = {
  heartbeatMs: 30_000,
  rootTimeoutMs: 105_000,
  announceGapMs: 100,
  askGapMs: 400,
  orphanMs: 2_000,
  seqRequestGapMs: 500,
  seqAnswerGapMs: 300,
  lostMs: 500,
  lostDelayFactor: 4,
  lostMaxMs: 5_000,
  renewGapMs: 1_000,
  attachMs: 300,
  batchMs: 30,
  lostKeyMs: 3_000,
  offerMs: 5_000,
  offerMaxMs: 300_000,
  childKeysMax: 50_000,
  treeKeysMax: 100_000,
  waitingEntriesMax: 8_192,
  refusalsBurst: 256,
  refusalsPerSecond: 64,
  signaturesBurst: 4_096,
  signaturesPerSecond: 2_048,
  controlBurst: 4_096,
  controlPerSecond: 1_024,
  rootsMax: 64,
};
