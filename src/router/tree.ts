import type { Crypto } from "../crypto/crypto.js";
import { compareBytes, equalBytes } from "../wire/bytes.js";
import {
  ANNOUNCE_REQUEST,
  HEARTBEAT,
  type Heartbeat,
  ROOT_LOST,
  type RootLost,
  SEQ_REQUEST,
  type SeqRequest,
} from "../wire/control.js";
import { edgeChild, edgeTreeEpoch } from "../wire/edge.js";
import { EPOCH_MAX, HOP_LIMIT, ID_BYTES } from "../wire/limits.js";
import type { Position } from "../wire/locator.js";
import { type Ancestry, Announcer } from "./announcer.js";
import { Candidates } from "./candidates.js";
import type { TreeConfig } from "./config.js";
import { type Edge, makeEdge, sameEdge } from "./edges.js";
import type { Epochs } from "./epochs.js";
import { Feasibility } from "./feasibility.js";
import type { Announced, Peer, TreeView } from "./peer.js";
import { Reign } from "./reign.js";
import { RootReports } from "./root-reports.js";
import { SeqRequests } from "./seq-requests.js";
import type { RouterStats } from "./stats.js";
import { encodeProof, type Subtree } from "./subtree.js";
import type { Trust } from "./trust.js";

/** What a tree needs of its router. */
export interface TreeContext {
  readonly key: Uint8Array;
  /** This node's rank in the tree. */
  readonly rank: Uint8Array;
  /** A leaf is nobody's parent and never a root. */
  readonly leaf: boolean;
  /** Whether a key may be root; in a private network not every one is. */
  mayBeRoot(key: Uint8Array): boolean;
  readonly crypto: Crypto;
  readonly trust: Trust;
  readonly epochs: Epochs;
  readonly subtree: Subtree;
  readonly config: TreeConfig;
  readonly stats: RouterStats;
  peer(port: number): Peer | undefined;
  peers(): Iterable<Peer>;
  send(port: number, frame: Uint8Array): void;
}

/** Below every rank. */
const NO_RANK = new Uint8Array(0);

/** The root that a node hangs below, or is. */
interface Root {
  readonly key: Uint8Array;
  readonly rank: Uint8Array;
  seq: number;
  signature: Uint8Array;
  /** When the seq came. */
  seqMs: number;
}

/** A node without a feasible parent keeps its coordinates until `untilMs` and asks around. */
interface Orphan {
  /** The link to the parent is gone: that says nothing of the root. */
  readonly linkLost: boolean;
  readonly untilMs: number;
  askMs: number;
}

/**
 * One of the three trees: which root, which parent, where. The rules are numbered as in PROTOCOL.md, "Trees"; the condition that keeps
 * it free of loops is in feasibility.ts. Inputs are `handle…`; whatever changed, `#choose` decides anew.
 */
export class Tree implements TreeView {
  #root: Root | undefined;
  #parent: Peer | undefined;
  #path: readonly Edge[] = [];
  #position: Position | undefined;
  #orphan: Orphan | undefined;
  #treeEpoch = 0;
  #delayMs = 0;
  /** When to ask again for a better root that is visible, but not feasible. */
  #wantMs = Number.POSITIVE_INFINITY;
  /** When this node's edge gets a new epoch though the parent stays, and when it got the present one. */
  #renewMs = Number.POSITIVE_INFINITY;
  #renewedMs = Number.NEGATIVE_INFINITY;
  readonly #reign: Reign;
  readonly #seqRequests: SeqRequests;
  readonly #feasibility: Feasibility;
  readonly #candidates: Candidates;
  readonly #announcer: Announcer;
  readonly #reports: RootReports;

  constructor(
    readonly tree: number,
    private readonly context: TreeContext,
    nowMs: number,
  ) {
    const { config } = context;
    this.#reign = new Reign(config);
    this.#seqRequests = new SeqRequests(config.seqRequestGapMs);
    this.#feasibility = new Feasibility(config.rootsMax);
    this.#candidates = new Candidates(tree, context, this.#feasibility);
    this.#announcer = new Announcer(tree, config.announceGapMs);
    this.#reports = new RootReports(config);
    if (this.#candidates.mayBeRoot) this.#becomeRoot(nowMs);
  }

  get position(): Position | undefined {
    return this.#position;
  }

  get parentPort(): number {
    return this.#parent?.port ?? 0;
  }

  /** The root's key, undefined where this node has no place in the tree. */
  get rootKey(): Uint8Array | undefined {
    return this.#root?.key;
  }

  get seq(): number {
    return this.#root?.seq ?? 0;
  }

  /** The epoch of this node's edge. */
  get treeEpoch(): number {
    return this.#treeEpoch;
  }

  /** True while no parent is feasible and the old coordinates are kept. */
  get isOrphan(): boolean {
    return this.#orphan !== undefined;
  }

  childPort(key: Uint8Array): number {
    return this.context.subtree.childPort(key);
  }

  /** What this node announces. */
  get ancestry(): Ancestry | undefined {
    if (this.#root === undefined) return undefined;
    const { key, seq, signature } = this.#root;
    return { root: key, seq, signature, path: this.#path, delayMs: this.#delayMs };
  }

  get announcer(): Announcer {
    return this.#announcer;
  }

  // Inputs.

  handleLinkUp(peer: Peer, nowMs: number): void {
    this.#announcer.request(peer.port, nowMs);
  }

  /** The link to `peer` is gone; it is no longer among the context's peers. */
  handleLinkDown(peer: Peer, nowMs: number): void {
    this.#announcer.handleLinkDown(peer.port);
    this.#seqRequests.handleLinkDown(peer.port);
    if (this.#parent !== peer) {
      // An orphan may have waited for this neighbour.
      if (this.#orphan !== undefined) this.#choose(nowMs);
      return;
    }
    const lostRoot = this.#path.length === 1 ? this.#path[0] : undefined;
    this.#loseParent(true, nowMs);
    if (lostRoot !== undefined) this.#reportRootLost(lostRoot, nowMs);
    this.#choose(nowMs);
  }

  /** `peer.announced` of this tree is new. */
  handleAnnounce(peer: Peer, nowMs: number): void {
    const announced = peer.announced[this.tree];
    if (announced?.throughMe === true) this.#seeOwn(announced, nowMs);
    this.#choose(nowMs);
  }

  /** A heartbeat whose signature is valid. Only the parent's counts. */
  handleHeartbeat(peer: Peer, heartbeat: Heartbeat, nowMs: number): void {
    const announced = peer.announced[this.tree]!;
    announced.seq = heartbeat.seq;
    announced.signature = heartbeat.signature.slice();
    this.#choose(nowMs);
  }

  /** The neighbour behind `port` hangs below us from now on: it may have missed a heartbeat on its way here. */
  handleChild(port: number): void {
    if (this.#root !== undefined) this.#sendHeartbeat(port);
  }

  /** Whether a heartbeat would be news: it is the parent's, of the root that the parent announced, with a newer seq. */
  wantsHeartbeat(peer: Peer, heartbeat: Heartbeat): boolean {
    const announced = peer.announced[this.tree];
    return (
      peer === this.#parent &&
      announced !== undefined &&
      equalBytes(announced.rootKey, heartbeat.root) &&
      heartbeat.seq > announced.seq
    );
  }

  handleAnnounceRequest(peer: Peer, nowMs: number): void {
    this.#announcer.request(peer.port, nowMs);
  }

  /** Rule 8: answered by whoever holds that seq; else it goes on towards the root, and the asker is answered when the seq comes. */
  handleSeqRequest(peer: Peer, request: SeqRequest, nowMs: number): void {
    const root = this.#root;
    if (root === undefined || !equalBytes(root.key, request.root) || request.hops >= HOP_LIMIT) {
      this.context.stats.seqRequestsIgnored++;
      return;
    }
    if (root.seq >= request.seq) {
      this.#announcer.request(peer.port, nowMs);
      return;
    }
    this.#seqRequests.addWaiting(peer.port);
    if (this.#isRoot()) {
      // Who asks for a seq knows of the one before it, perhaps from an earlier life of this node.
      this.context.epochs.hinted(request.seq - 1);
      this.#reign.handleAsked(nowMs);
      return;
    }
    const next = this.#parent ?? this.#candidates.nearestTo(root.key);
    if (next === undefined || next === peer || !this.#seqRequests.mayPass(nowMs))
      this.context.stats.seqRequestsIgnored++;
    else this.#sendSeqRequest(next, root.key, request.seq, request.hops + 1);
  }

  /** Rule 9, for a report whose signatures are valid: true where it goes on to the other neighbours. */
  handleRootLost(report: RootLost, nowMs: number): boolean {
    const root = this.#root;
    if (root === undefined) return false;
    if (this.#isRoot()) {
      this.#reign.handleAsked(nowMs);
      return false;
    }
    if (!this.#reports.handleReport(report, this.#delayMs, nowMs)) return false;
    if (this.#orphan !== undefined) this.#orphan.askMs = nowMs;
    return true;
  }

  /**
   * Whether a report of a lost root may matter here, before its signatures are looked at. One of another seq than ours does not: an
   * older one is answered, and a newer one came ahead of that seq, or is a lie that would kill every seq up to it. A leaf does what
   * its parent does.
   */
  wantsRootLost(report: RootLost, nowMs: number): boolean {
    const root = this.#root;
    return (
      !this.context.leaf &&
      root !== undefined &&
      equalBytes(root.key, report.root) &&
      root.seq === report.seq &&
      this.#reports.mayReport(edgeChild(report.edge), nowMs)
    );
  }

  /** Our own entry was refused upward because a newer epoch of it is known: rule 4. */
  handleOwnEpoch(epoch: number, nowMs: number): void {
    if (this.context.epochs.hinted(epoch)) this.#renewAbove(epoch, nowMs);
  }

  handleTimeout(nowMs: number): void {
    const { config } = this.context;
    if (nowMs >= this.#reign.pollTimeout()) this.#giveSeq(nowMs);
    const root = this.#root;
    if (root !== undefined && !this.#isRoot()) {
      const isSilent = !this.context.leaf && nowMs >= root.seqMs + config.rootTimeoutMs;
      if (isSilent || this.#reports.isDue(root.key, root.seq, nowMs)) this.#declareDead(root, nowMs);
    }
    this.#reports.handleTimeout(nowMs);
    if (nowMs >= this.#wantMs) this.#wantBetterRoot(nowMs);
    if (nowMs >= this.#renewMs) this.#renew(nowMs);
    const orphan = this.#orphan;
    if (orphan !== undefined) {
      if (nowMs >= orphan.untilMs) this.#declareDead(this.#root!, nowMs);
      else if (nowMs >= orphan.askMs) this.#askAround(orphan, nowMs);
    }
    this.context.subtree.handleTimeout(nowMs);
  }

  pollTimeout(): number {
    const orphan = this.#orphan;
    const isBelow = this.#root !== undefined && !this.#isRoot() && !this.context.leaf;
    return Math.min(
      this.#reign.pollTimeout(),
      this.#wantMs,
      this.#renewMs,
      this.#announcer.pollTimeout(),
      this.#reports.pollTimeout(),
      this.context.subtree.pollTimeout(),
      isBelow ? this.#root!.seqMs + this.context.config.rootTimeoutMs : Number.POSITIVE_INFINITY,
      orphan === undefined ? Number.POSITIVE_INFINITY : Math.min(orphan.untilMs, orphan.askMs),
    );
  }

  // Choosing a parent: rules 6 to 8.

  #choose(nowMs: number): void {
    const best = this.#candidates.bestFeasible(this.#parent);
    const root = this.#root;
    if (best !== undefined && (root === undefined || this.#beats(best, root))) {
      this.#follow(best, false, nowMs);
    } else if (this.#parent !== undefined) {
      // The parent is not feasible any more, and no feasible neighbour has this root or a better one.
      if (!this.#holds(this.#parent, root!)) this.#loseParent(false, nowMs);
    }
    if (this.#orphan !== undefined && this.#alternative() === undefined) {
      if (this.#orphan.linkLost) this.#leaveRoot(nowMs);
      else this.#declareDead(this.#root!, nowMs);
    }
    this.#wantBetterRoot(nowMs);
  }

  /** The parent's place still holds: it is feasible, and of this root. */
  #holds(parent: Peer, root: Root): boolean {
    const announced = parent.announced[this.tree];
    return (
      announced !== undefined &&
      equalBytes(announced.rootKey, root.key) &&
      this.#candidates.isFeasible(parent, announced)
    );
  }

  /** Whether to follow `best` rather than stay: a better root, the same one from nowhere or nearer, or the parent's own news. */
  #beats(best: Peer, root: Root): boolean {
    const announced = best.announced[this.tree]!;
    const order = compareBytes(announced.rank, root.rank);
    if (order !== 0) return order > 0;
    return this.#parent !== undefined || this.#orphan !== undefined;
  }

  /** Takes `peer` as parent, or follows the parent's news. `renew` gives the edge a new epoch though the parent stays. */
  #follow(peer: Peer, renew: boolean, nowMs: number): void {
    const { crypto, trust, epochs, subtree, stats } = this.context;
    const announced = peer.announced[this.tree]!;
    const sameRoot = this.#root !== undefined && equalBytes(this.#root.key, announced.rootKey);
    const sameParent = this.#parent === peer && !renew;
    const isNewSeq = !sameRoot || announced.seq > this.#root!.seq;
    let edge = this.#path.at(-1);
    if (!sameParent || edge === undefined) {
      this.#treeEpoch = epochs.next();
      this.#renewMs = Number.POSITIVE_INFINITY;
      this.#renewedMs = nowMs;
      edge = makeEdge(crypto, this.tree, peer.key, trust.signEdge(this.tree, peer, this.#treeEpoch));
      subtree.handleParent(peer.port, encodeProof(peer.key, edge.bytes), nowMs);
      stats.parentChanges++;
    }
    if (!sameRoot) {
      stats.rootChanges++;
      if (announced.path.length === 0) this.#reports.handleReturn(announced.rootKey);
    }
    const path = [...announced.path, edge];
    const isMoved = !sameRoot || !samePath(path, this.#path);
    this.#parent = peer;
    this.#delayMs = announced.delayMs + Math.max(1, peer.rttMs / 2);
    this.#orphan = undefined;
    this.#reign.handleEnd();
    if (isNewSeq) {
      const { rootKey: key, rank, seq, signature } = announced;
      this.#root = { key, rank, seq, signature, seqMs: nowMs };
    }
    this.#feasibility.handleAnnounced(announced.rootKey, announced.seq, path.length);
    if (isMoved) this.#move(path, peer, announced, nowMs);
    if (isNewSeq) this.#passSeq(nowMs);
  }

  #move(path: readonly Edge[], peer: Peer, announced: Announced, nowMs: number): void {
    this.#path = path;
    const coordinates = new Uint16Array(path.length);
    coordinates.set(announced.coordinates);
    coordinates[path.length - 1] = peer.theirPort;
    this.#position = { rootId: announced.rootId, coordinates };
    this.#announce(nowMs);
  }

  #announce(nowMs: number): void {
    for (const peer of this.context.peers()) this.#announcer.request(peer.port, nowMs);
  }

  /** No parent: the coordinates stay until another is found, or the root is given up. */
  #loseParent(linkLost: boolean, nowMs: number): void {
    this.#parent = undefined;
    this.#treeEpoch = this.context.epochs.next();
    this.context.subtree.handleOrphan();
    this.#orphan = { linkLost, untilMs: nowMs + this.context.config.orphanMs, askMs: nowMs };
  }

  /** A neighbour that a newer seq would make feasible again, with this root or a better one. */
  #alternative(): Peer | undefined {
    return this.#root === undefined ? undefined : this.#candidates.bestUnfeasible(this.#root.rank, false);
  }

  #askAround(orphan: Orphan, nowMs: number): void {
    orphan.askMs = nowMs + this.context.config.askGapMs;
    const request = ANNOUNCE_REQUEST.encode({ tree: this.tree, flags: 0 });
    for (const peer of this.context.peers()) if (!peer.leaf) this.context.send(peer.port, request);
    const next = this.#alternative();
    if (next !== undefined) this.#askForSeq(next, nowMs);
  }

  /** Rule 8: a better root is visible, but no path to it is feasible. */
  #wantBetterRoot(nowMs: number): void {
    this.#wantMs = Number.POSITIVE_INFINITY;
    if (this.#orphan !== undefined) return;
    const rank = this.#root?.rank ?? NO_RANK;
    const peer = this.#candidates.bestUnfeasible(rank, true);
    const announced = peer?.announced[this.tree];
    if (announced === undefined || compareBytes(announced.rank, rank) === 0) return;
    if (this.#askForSeq(peer!, nowMs)) this.#wantMs = this.#seqRequests.nextAskMs;
  }

  /** Asks through `peer`, unless that was done just now, for a seq under which its root is feasible. False where there is none. */
  #askForSeq(peer: Peer, nowMs: number): boolean {
    const { rootKey } = peer.announced[this.tree]!;
    const seq = this.#feasibility.freshSeq(rootKey);
    if (seq > EPOCH_MAX) return false;
    if (this.#seqRequests.mayAsk(nowMs)) this.#sendSeqRequest(peer, rootKey, seq, 0);
    return true;
  }

  #sendSeqRequest(peer: Peer, root: Uint8Array, seq: number, hops: number): void {
    this.context.send(peer.port, SEQ_REQUEST.encode({ tree: this.tree, root, seq, hops }));
  }

  /** No path to this root with its present seq, or an older one, is to be trusted. */
  #declareDead(root: Root, nowMs: number): void {
    this.context.stats.rootsDead++;
    this.#feasibility.handleDead(root.key, root.seq);
    this.#leaveRoot(nowMs);
  }

  /** Takes the best root that is feasible, this node itself if there is none. */
  #leaveRoot(nowMs: number): void {
    if (this.#parent !== undefined) this.#loseParent(false, nowMs);
    this.#orphan = undefined;
    this.#root = undefined;
    const best = this.#candidates.bestFeasible(this.#parent);
    if (best !== undefined) this.#follow(best, false, nowMs);
    else if (this.#candidates.mayBeRoot) this.#becomeRoot(nowMs);
    else this.#becomeNobody(nowMs);
    this.#wantBetterRoot(nowMs);
  }

  #becomeNobody(nowMs: number): void {
    this.context.subtree.handleNoParent();
    this.#path = [];
    this.#position = undefined;
    this.#announce(nowMs);
  }

  // Being root: rules 2, 8, 9.

  #isRoot(): boolean {
    return this.#root !== undefined && this.#root.key === this.context.key;
  }

  #becomeRoot(nowMs: number): void {
    const { key, rank, subtree } = this.context;
    subtree.handleNoParent();
    this.#path = [];
    this.#delayMs = 0;
    this.#position = { rootId: key.slice(0, ID_BYTES), coordinates: new Uint16Array(0) };
    this.#root = { key, rank, seq: 0, signature: new Uint8Array(0), seqMs: nowMs };
    this.context.stats.rootChanges++;
    this.#announce(nowMs);
    this.#giveSeq(nowMs);
  }

  #giveSeq(nowMs: number): void {
    const root = this.#root!;
    root.seq = this.context.epochs.next();
    root.signature = this.context.trust.signHeartbeat(this.tree, root.seq);
    root.seqMs = nowMs;
    this.#reign.handleGiven(nowMs);
    this.context.stats.seqsGiven++;
    this.#passSeq(nowMs);
  }

  /** The new seq goes to the children, unless an ANNOUNCE that carries it waits for them, and to whoever asked for it. */
  #passSeq(nowMs: number): void {
    for (const port of this.#seqRequests.takeWaiting()) this.#announcer.request(port, nowMs);
    for (const port of this.context.subtree.children()) this.#sendHeartbeat(port);
  }

  #sendHeartbeat(port: number): void {
    const { key: root, seq, signature } = this.#root!;
    if (this.context.peer(port)?.leaf !== false || !this.#announcer.wantsHeartbeat(port, seq)) return;
    this.#announcer.handleHeartbeat(port, seq);
    this.context.send(port, HEARTBEAT.encode({ tree: this.tree, root, seq, signature }));
  }

  #reportRootLost(edge: Edge, nowMs: number): void {
    const { key: root, seq } = this.#root!;
    const signature = this.context.trust.signRootLost(this.tree, root, seq);
    const report: RootLost = { tree: this.tree, root, seq, edge: edge.bytes, signature };
    this.#reports.handleReport(report, this.#delayMs, nowMs);
    for (const peer of this.context.peers()) if (!peer.leaf) this.context.send(peer.port, ROOT_LOST.encode(report));
  }

  /** A path that leads through this node shows values that it gave, in this life or an earlier one: rule 4. */
  #seeOwn(announced: Announced, nowMs: number): void {
    if (equalBytes(announced.rootKey, this.context.key)) {
      this.context.epochs.seen(announced.seq);
      if (this.#isRoot() && announced.seq > this.#root!.seq) this.#reign.handleAsked(nowMs);
    }
    for (const { bytes } of announced.path) {
      if (!equalBytes(edgeChild(bytes), this.context.key)) continue;
      this.context.epochs.seen(edgeTreeEpoch(bytes));
      this.#renewAbove(edgeTreeEpoch(bytes), nowMs);
    }
  }

  /** The own edge is to have an epoch above `epoch`. Soon, and not too often: others make us do so. */
  #renewAbove(epoch: number, nowMs: number): void {
    if (this.#parent === undefined || epoch <= this.#treeEpoch) return;
    this.#renewMs = Math.max(nowMs, this.#renewedMs + this.context.config.renewGapMs);
  }

  #renew(nowMs: number): void {
    this.#renewMs = Number.POSITIVE_INFINITY;
    if (this.#parent !== undefined) this.#follow(this.#parent, true, nowMs);
  }
}

function samePath(a: readonly Edge[], b: readonly Edge[]): boolean {
  return a.length === b.length && a.every((edge, i) => sameEdge(edge, b[i]!));
}
