/**
 * Local limits and times of forwarding, queues, probes and routes. What a limit turns away is counted: as a drop reason where it is a
 * frame, in `PathStats` where it is not.
 */
export interface PathConfig {
  /** Bytes of DATA frames queued for one link. Worst case for each: twice this, 16 bytes a frame, and 4 MB of chunks that they came in. */
  readonly dataBytesMax: number;
  /** Bytes of this node's own DATA frames in a link's queue above which no more packets are pulled from sessions. */
  readonly ownBytesMax: number;
  /** The same where the line is what limits: what it takes in so many milliseconds, and no less than so many bytes. */
  readonly ownMs: number;
  readonly ownBytesMin: number;
  /** DATA of an ingress is marked where what it has in the queue of such a line takes longer than this, in milliseconds. */
  readonly markMs: number;
  /** Bytes of an ingress that are not marked yet: two packets, the least that a session has under way. */
  readonly markBytesMin: number;
  /** Bytes of control frames queued for one link. Worst case: this, and 16 bytes a frame, for each link. */
  readonly controlBytesMax: number;
  /** Bytes of PROBE, PROBE_REPLY and ROUTE_BROKEN frames queued for one link. Worst case: this, and 4 MB of chunks, for each link. */
  readonly probeBytesMax: number;
  /** What an ingress may send in its turn, in bytes × hops to go. */
  readonly quantum: number;
  /** The same where the line is what limits: what it takes in so many milliseconds, and no less than `quantumMin`. */
  readonly turnMs: number;
  readonly quantumMin: number;

  /**
   * PROBE and ROUTE_BROKEN frames taken from one ingress, and as many sent by one egress, there shared by the ingresses: a second,
   * and at once. What a link is sent is what its other end takes, so a flood is stopped where it meets others. 10 KB a link.
   */
  readonly probeRatePerS: number;
  readonly probeBurst: number;
  /** PROBE_REPLY frames that a neighbour may send at once for probes sent to it. 100 bytes a link. */
  readonly repliesDueMax: number;
  /** Signatures for probe replies: a second, and at once. 24 µs each in native form, 3 ms in portable form. */
  readonly signRatePerS: number;
  readonly signBurst: number;
  /** ROUTE_BROKEN reports made for frames of one ingress: a second, and at once. 200 bytes a link. */
  readonly brokenRatePerS: number;
  readonly brokenBurst: number;
  /** Route ids remembered as reported broken. 120 bytes each: 0.5 MB. */
  readonly reportedMax: number;

  /**
   * Questions of this node that await an answer; half of them may be caused by others alone. As many searches that failed. At most 100
   * nonces each, 14 KB: 7 MB.
   */
  readonly inquiriesMax: number;
  /** How long each try of a question waits; as many tries as entries. */
  readonly tryMs: readonly number[];
  /** So long after the last try of a search a reply to it is still taken. */
  readonly replyMs: number;
  /** Nodes around from which a later try of a search begins as well. */
  readonly detoursMax: number;
  /** Replies with a false signature after which a nonce is void. */
  readonly badRepliesMax: number;

  /** Destinations remembered: as many as there may be sessions, or they would forget each other's. 2.6 KB each: 13 MB. */
  readonly destinationsMax: number;
  /** Routes kept of a destination beside the one in use. */
  readonly sparesMax: number;
  /** A route that was given up is not taken in place of another for so long. */
  readonly shunnedMs: number;
  /** Locators remembered. 1.3 KB each at most: 5.3 MB. */
  readonly locatorsMax: number;
  /** Routes from the map that are probed at a time for one destination. */
  readonly candidatesMax: number;
  /** Records of a ball: the most that are pulled for one. */
  readonly ballMax: number;
  /** Records held, the own ball's and those of peers: 1 KB each, 15 KB at most; so 2 MB, and 30 MB from neighbours that all lie. */
  readonly recordsMax: number;
  /** A record is used so long. */
  readonly recordMs: number;
  /** BALL_REQUESTs of this node: a second, and at once. */
  readonly ballRatePerS: number;
  readonly ballBurst: number;
  /** How long an answer to one is awaited, and a node that gave none is not asked again. */
  readonly ballWaitMs: number;
  readonly ballSilentMs: number;
  /** A route counts as used this long after data was sent by it. */
  readonly usedMs: number;
  /** How often the route in use is measured by a SOURCE probe. */
  readonly refreshMs: number;
  /** How often a spare is measured, and a TREE probe looks for a better one than the route in use. */
  readonly relocateMs: number;
  /** Reports of broken routes, and changes of the peer's way, that probes follow: a second, and at once, for each destination. */
  readonly reportRatePerS: number;
  readonly reportBurst: number;
  /** After a search that failed the key counts as unreachable for so long, without another probe. */
  readonly unreachableMs: number;
}

export const PATH_DEFAULTS: PathConfig = {
  dataBytesMax: 2 * 1024 * 1024,
  ownBytesMax: 64 * 1024,
  ownMs: 5,
  ownBytesMin: 2_400,
  markMs: 20,
  markBytesMin: 3_000,
  controlBytesMax: 1024 * 1024,
  probeBytesMax: 64 * 1024,
  quantum: 24_000,
  turnMs: 1,
  quantumMin: 1_500,

  probeRatePerS: 512,
  probeBurst: 1_024,
  repliesDueMax: 1_024,
  signRatePerS: 200,
  signBurst: 400,
  brokenRatePerS: 32,
  brokenBurst: 128,
  reportedMax: 4_096,

  inquiriesMax: 256,
  tryMs: [500, 500, 500, 500, 500, 500, 2_500],
  replyMs: 5_000,
  detoursMax: 12,
  badRepliesMax: 4,

  destinationsMax: 5_120,
  sparesMax: 2,
  shunnedMs: 60_000,
  locatorsMax: 4_096,
  candidatesMax: 4,
  ballMax: 256,
  recordsMax: 2_048,
  recordMs: 300_000,
  ballRatePerS: 64,
  ballBurst: 512,
  ballWaitMs: 1_000,
  ballSilentMs: 60_000,
  usedMs: 10_000,
  refreshMs: 5_000,
  relocateMs: 30_000,
  reportRatePerS: 1,
  reportBurst: 4,
  unreachableMs: 1_000,
};
