import type { Budget } from "../wire/budget.js";
import { compareBytes, equalBytes } from "../wire/bytes.js";
import type { Heartbeat, RootLost, SeqRequest } from "../wire/control.js";
import { type EdgeBytes, edgeChild, edgeTreeEpoch } from "../wire/edge.js";
import { EPOCH_MAX, HOP_LIMIT } from "../wire/limits.js";
import type { Position } from "../wire/locator.js";
import type { Ancestry } from "./announcer.js";
import { Candidates } from "./candidates.js";
import { Feasibility } from "./feasibility.js";
import { Herald } from "./herald.js";
import { OwnEdge } from "./own-edge.js";
import type { Announced, Peer, TreeView } from "./peer.js";
import { Place, type Root } from "./place.js";
import { Reign } from "./reign.js";
import { RootReports } from "./root-reports.js";
import { SeqRequests } from "./seq-requests.js";
import type { TreeContext } from "./tree-context.js";

/** What a neighbour is to this node in a tree: its parent, or why it is not. */
export type ParentVerdict =
  | "parent"
  /** A leaf is nobody's parent. */
  | "leaf"
  /** It announced no place. */
  | "no place"
  /** Its path leads through this node. */
  | "below"
  /** Its root has a lower rank. */
  | "lesser root"
  /** It could be: but it has no fewer hops than the parent, or not a whole hop less. */
  | "farther"
  /** A path by it might be a loop until the root's next seq: rule 7. */
  | "unfeasible"
  /** Its root may be none here, or it is too deep. */
  | "barred";

/** Below every rank. */
const NO_RANK = new Uint8Array(0);

/** A node without a feasible parent keeps its coordinates until `untilMs` and asks around. */
interface Orphan {
  /** The link to the parent is gone: that says nothing of the root. */
  readonly linkLost: boolean;
  readonly untilMs: number;
}

/**
 * One of the three trees: which root, which parent, where. The rules are numbered as in PROTOCOL.md, "Trees"; the condition that keeps
 * it free of loops is in feasibility.ts. Inputs are `handle…`; whatever changed, `#choose` decides anew.
 */
export class Tree implements TreeView {
  readonly #place = new Place();
  #parent: Peer | undefined;
  #orphan: Orphan | undefined;
  /** When to ask again for a better root that is visible, but not feasible. */
  #wantMs = Number.POSITIVE_INFINITY;
  readonly #feasibility: Feasibility;
  readonly #candidates: Candidates;
  readonly #ownEdge: OwnEdge;
  readonly #herald: Herald;
  readonly #reign: Reign;
  readonly #seqRequests: SeqRequests;
  readonly #reports: RootReports;

  constructor(
    readonly tree: number,
    private readonly context: TreeContext,
    nowMs: number,
  ) {
    const { config, stats } = context;
    const onForget = () => void stats.rootsForgotten++;
    this.#feasibility = new Feasibility(config.rootsMax, onForget);
    this.#candidates = new Candidates(tree, context, this.#feasibility);
    this.#ownEdge = new OwnEdge(tree, context);
    this.#herald = new Herald(tree, context);
    this.#reign = new Reign(config);
    this.#seqRequests = new SeqRequests(config.seqRequestGapMs);
    this.#reports = new RootReports(config);
    if (this.#candidates.mayBeRoot) this.#becomeRoot(nowMs);
  }

  get position(): Position | undefined {
    return this.#place.position;
  }

  get parentPort(): number {
    return this.#parent?.port ?? 0;
  }

  childPort(key: Uint8Array): number {
    return this.context.subtree.childPort(key);
  }

  /** The root's key, undefined where this node has no place in the tree. */
  get rootKey(): Uint8Array | undefined {
    return this.#place.root?.key;
  }

  get seq(): number {
    return this.#place.root?.seq ?? 0;
  }

  /** When the seq came, or was given. */
  get seqMs(): number {
    return this.#place.root?.seqMs ?? Number.NEGATIVE_INFINITY;
  }

  /** What this node announces; undefined where it has no place in the tree. */
  get ancestry(): Ancestry | undefined {
    return this.#place.ancestry;
  }

  /** The edges from the root down to this node. */
  get path(): EdgeBytes[] {
    return this.context.edges.path(this.#place.path);
  }

  /** The paths that it holds: its own, and those that neighbours were told. See `EdgeStore`. */
  visitPaths(visit: (path: number) => number): void {
    this.#place.visitPaths(visit);
    this.#herald.visitPaths(visit);
  }

  /** The epoch of this node's edge. */
  get treeEpoch(): number {
    return this.#ownEdge.epoch;
  }

  /** True while no parent is feasible and the old coordinates are kept. */
  get isOrphan(): boolean {
    return this.#orphan !== undefined;
  }

  /** Whether the neighbour could be the parent, or what bars it. */
  judge(peer: Peer): ParentVerdict {
    const announced = peer.announced[this.tree];
    if (peer === this.#parent) return "parent";
    if (peer.leaf) return "leaf";
    if (announced === undefined) return "no place";
    if (announced.throughMe) return "below";
    const root = this.#place.root;
    const order = root === undefined ? 1 : compareBytes(announced.rank, root.rank);
    if (order < 0) return "lesser root";
    if (this.#candidates.isFeasible(peer, announced)) return "farther";
    return this.#candidates.mayFollow(peer, announced) ? "unfeasible" : "barred";
  }

  // Inputs.

  handleLinkUp(peer: Peer, nowMs: number): void {
    this.#herald.announceTo(peer.port, nowMs);
  }

  /** The link to `peer` is gone; it is no longer among the context's peers. */
  handleLinkDown(peer: Peer, nowMs: number): void {
    this.#herald.handleLinkDown(peer.port);
    this.#seqRequests.handleLinkDown(peer.port);
    if (this.#parent !== peer) {
      // An orphan may have waited for this neighbour.
      if (this.#orphan !== undefined) this.#choose(nowMs);
      return;
    }
    const edge = this.#place.depth === 1 ? this.#ownEdge.edge : undefined;
    this.#loseParent(true, nowMs);
    if (edge !== undefined) this.#reportRootLost(edge, nowMs);
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
    if (!this.#candidates.isFeasible(peer, announced)) {
      this.#choose(nowMs);
      return;
    }
    // Nothing but the parent's seq is new since it was chosen, so it is the best still.
    this.#follow(peer, false, nowMs);
    if (this.#wantMs !== Number.POSITIVE_INFINITY) this.#wantBetterRoot(nowMs);
  }

  /** The neighbour behind `port` hangs below us from now on: it may have missed a heartbeat on its way here. */
  handleChild(port: number): void {
    const { ancestry } = this;
    if (ancestry !== undefined) this.#herald.sendHeartbeat(port, ancestry);
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

  /** `isWhole`: the neighbour did not read the last one. */
  handleAnnounceRequest(peer: Peer, isWhole: boolean, nowMs: number): void {
    if (isWhole) this.#herald.handleUnread(peer.port);
    this.#herald.announceTo(peer.port, nowMs);
  }

  /** Rule 8: answered by whoever holds that seq; else it goes on towards the root, and the asker is answered when the seq comes. */
  handleSeqRequest(peer: Peer, request: SeqRequest, nowMs: number): void {
    const root = this.#place.root;
    if (root === undefined || !equalBytes(root.key, request.root) || request.hops >= HOP_LIMIT) {
      this.context.stats.seqRequestsIgnored++;
      return;
    }
    if (root.seq >= request.seq) {
      this.#herald.announceTo(peer.port, nowMs);
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
    else this.#herald.askForSeq(next.port, root.key, request.seq, request.hops + 1);
  }

  /** Rule 9, for a report whose signatures are valid: true where it goes on to the other neighbours. */
  handleRootLost(report: RootLost, nowMs: number): boolean {
    const root = this.#place.root;
    if (root === undefined) return false;
    if (this.#isRoot()) {
      this.#reign.handleAsked(nowMs);
      return false;
    }
    this.#reports.handleReport(report, this.#place.delayMs, nowMs);
    if (this.#orphan !== undefined) this.#askAround(nowMs);
    return true;
  }

  /**
   * Whether a report of a lost root may matter here, before its signatures are looked at. One of another seq than ours does not: an
   * older one is answered, and a newer one came ahead of that seq, or is a lie that would kill every seq up to it. A leaf does what
   * its parent does.
   */
  wantsRootLost(report: RootLost, nowMs: number): boolean {
    const root = this.#place.root;
    return (
      !this.context.leaf &&
      root !== undefined &&
      equalBytes(root.key, report.root) &&
      root.seq === report.seq &&
      this.#reports.isNews(report, nowMs)
    );
  }

  /** Our own entry was refused upward because a newer epoch of it is known: rule 4. */
  handleOwnEpoch(epoch: number, nowMs: number): void {
    if (this.context.epochs.hinted(epoch)) this.#ownEdge.renewAbove(epoch, nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= this.#reign.pollTimeout()) this.#giveSeq(nowMs);
    if (nowMs >= this.#deathMs()) this.#declareDead(this.#place.root!, nowMs);
    if (nowMs >= this.#wantMs) this.#wantBetterRoot(nowMs);
    if (nowMs >= this.#ownEdge.pollTimeout()) this.#follow(this.#parent!, true, nowMs);
    const orphan = this.#orphan;
    if (orphan !== undefined) {
      if (nowMs >= orphan.untilMs) this.#declareDead(this.#place.root!, nowMs);
      else if (nowMs >= this.#herald.nextAskMs) this.#askAround(nowMs);
    }
    this.context.subtree.upward.handleTimeout(nowMs);
  }

  /** Sends the announcements and heartbeats that are due; `budgetOf` gives the signatures that a neighbour may be made to check. */
  transmit(budgetOf: (port: number) => Budget, nowMs: number): void {
    this.#herald.transmit(this.ancestry, budgetOf, nowMs);
  }

  pollTimeout(): number {
    return Math.min(
      this.#reign.pollTimeout(),
      this.#deathMs(),
      this.#wantMs,
      this.#ownEdge.pollTimeout(),
      this.#herald.pollTimeout(),
      this.context.subtree.upward.pollTimeout(),
      this.#orphan === undefined ? Number.POSITIVE_INFINITY : Math.min(this.#orphan.untilMs, this.#herald.nextAskMs),
    );
  }

  /** When the root is dead unless a newer seq comes: rules 9 and 10. A leaf hears of no seqs, and is root of nothing. */
  #deathMs(): number {
    const { root } = this.#place;
    if (root === undefined || this.context.leaf || this.#isRoot()) return Number.POSITIVE_INFINITY;
    return Math.min(root.seqMs + this.context.config.rootTimeoutMs, this.#reports.deadlineMs(root.key, root.seq));
  }

  // Choosing a parent: rules 6 to 8.

  #choose(nowMs: number): void {
    const best = this.#candidates.bestFeasible(this.#parent);
    const root = this.#place.root;
    if (best !== undefined && (root === undefined || this.#beats(best, root))) {
      this.#follow(best, false, nowMs);
    } else if (this.#parent !== undefined) {
      // The parent is not feasible any more, and no feasible neighbour has this root or a better one.
      if (!this.#holds(this.#parent, root!)) this.#loseParent(false, nowMs);
    }
    if (this.#orphan !== undefined && this.#alternative() === undefined) {
      if (this.#orphan.linkLost) this.#leaveRoot(nowMs);
      else this.#declareDead(this.#place.root!, nowMs);
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
    const { stats, subtree, edges } = this.context;
    const announced = peer.announced[this.tree]!;
    const { rootKey, seq } = announced;
    const isNewRoot = !this.#place.isOf(rootKey);
    const isNewSeq = isNewRoot || seq > this.#place.root!.seq;
    let { edge } = this.#ownEdge;
    if (edge === undefined || this.#parent !== peer || renew) {
      // Below another root the old parent's tables lead nowhere.
      if (isNewRoot) subtree.upward.handleNoParent();
      edge = this.#ownEdge.sign(peer, nowMs);
      stats.parentChanges++;
    }
    this.#parent = peer;
    this.#orphan = undefined;
    this.#reign.handleEnd();
    if (isNewRoot) {
      stats.rootChanges++;
      this.context.rootChanged(this.tree, rootKey);
      if (announced.coordinates.length === 0) this.#reports.handleReturn(rootKey);
    }
    const isMoved = this.#place.handleParent(peer, announced, edges.intern(announced.path, edge), nowMs);
    // Rule 7: a new seq from the parent counts as announcing the present distance under it.
    this.#feasibility.handleAnnounced(rootKey, seq, this.#place.depth);
    // The order matters: no heartbeat passes an ANNOUNCE that waits.
    if (isMoved) this.#herald.announceToAll(nowMs);
    if (isNewSeq) this.#passSeq(nowMs);
  }

  /** No parent: the coordinates stay until another is found, or the root is given up. */
  #loseParent(linkLost: boolean, nowMs: number): void {
    this.#parent = undefined;
    this.#ownEdge.drop();
    this.context.subtree.upward.handleOrphan();
    this.#orphan = { linkLost, untilMs: nowMs + this.context.config.orphanMs };
  }

  /** A neighbour that a newer seq would make feasible again, with this root or a better one. */
  #alternative(): Peer | undefined {
    return this.#place.root === undefined ? undefined : this.#candidates.alternative(this.#place.root.rank);
  }

  #askAround(nowMs: number): void {
    if (nowMs < this.#herald.nextAskMs) return;
    this.#herald.askAround(nowMs);
    const next = this.#alternative();
    if (next !== undefined) this.#askForSeq(next, nowMs);
  }

  /** Rule 8: a better root is visible, but no path to it is feasible. */
  #wantBetterRoot(nowMs: number): void {
    this.#wantMs = Number.POSITIVE_INFINITY;
    if (this.#orphan !== undefined) return;
    const peer = this.#candidates.better(this.#place.root?.rank ?? NO_RANK);
    if (peer !== undefined && this.#askForSeq(peer, nowMs)) this.#wantMs = this.#seqRequests.nextAskMs;
  }

  /** Asks through `peer`, unless that was done just now, for a seq under which its root is feasible. False where there is none. */
  #askForSeq(peer: Peer, nowMs: number): boolean {
    const { rootKey } = peer.announced[this.tree]!;
    const seq = this.#feasibility.freshSeq(rootKey);
    if (seq > EPOCH_MAX) return false;
    if (this.#seqRequests.mayAsk(nowMs)) this.#herald.askForSeq(peer.port, rootKey, seq, 0);
    return true;
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
    this.#place.handleNowhere();
    const best = this.#candidates.bestFeasible(this.#parent);
    if (best !== undefined) this.#follow(best, false, nowMs);
    else if (this.#candidates.mayBeRoot) this.#becomeRoot(nowMs);
    else this.#becomeNobody(nowMs);
    this.#wantBetterRoot(nowMs);
  }

  #becomeNobody(nowMs: number): void {
    this.context.subtree.upward.handleNoParent();
    this.context.rootChanged(this.tree, undefined);
    this.#herald.announceToAll(nowMs);
  }

  // Being root: rules 2, 8, 9.

  #isRoot(): boolean {
    return this.#place.root?.key === this.context.key;
  }

  #becomeRoot(nowMs: number): void {
    const { key, rank, subtree, stats, edges } = this.context;
    subtree.upward.handleNoParent();
    stats.rootChanges++;
    this.context.rootChanged(this.tree, key);
    this.#place.handleRoot(key, rank, edges.root(this.tree, key), nowMs);
    this.#herald.announceToAll(nowMs);
    this.#giveSeq(nowMs);
  }

  #giveSeq(nowMs: number): void {
    const root = this.#place.root!;
    root.seq = this.context.epochs.next();
    root.signature = this.context.trust.signHeartbeat(this.tree, root.seq);
    root.seqMs = nowMs;
    this.#reign.handleGiven(nowMs);
    this.context.stats.seqsGiven++;
    this.#passSeq(nowMs);
  }

  /** The new seq goes to the children, and to whoever asked for it. */
  #passSeq(nowMs: number): void {
    for (const port of this.#seqRequests.takeWaiting()) this.#herald.announceTo(port, nowMs);
    this.#herald.passSeq(nowMs);
    // Every heartbeat, and more often only while places change.
    this.context.edges.tidy();
  }

  #reportRootLost(edge: EdgeBytes, nowMs: number): void {
    const { key: root, seq } = this.#place.root!;
    const signature = this.context.trust.signRootLost(this.tree, root, seq);
    const report: RootLost = { tree: this.tree, root, seq, edge, signature };
    this.#reports.handleReport(report, this.#place.delayMs, nowMs);
    this.#herald.reportLost(report);
  }

  /** A path that leads through this node shows values that it gave, in this life or an earlier one: rule 4. */
  #seeOwn(announced: Announced, nowMs: number): void {
    if (equalBytes(announced.rootKey, this.context.key)) {
      this.context.epochs.seen(announced.seq);
      if (this.#isRoot() && announced.seq > this.#place.root!.seq) this.#reign.handleAsked(nowMs);
    }
    for (const edge of this.context.edges.path(announced.path)) {
      if (!equalBytes(edgeChild(edge), this.context.key)) continue;
      this.context.epochs.seen(edgeTreeEpoch(edge));
      this.#ownEdge.renewAbove(edgeTreeEpoch(edge), nowMs);
    }
  }
}
