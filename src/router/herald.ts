import type { Budget } from "../wire/budget.js";
import { ANNOUNCE_REQUEST, HEARTBEAT, ROOT_LOST, type RootLost, SEQ_REQUEST } from "../wire/control.js";
import { type Ancestry, Announcer } from "./announcer.js";
import type { TreeContext } from "./tree-context.js";

/** What a node tells its neighbours of one tree, and what it asks them. */
export class Herald {
  readonly #announcer: Announcer;
  /** When the children are to hear of a new seq, and when they last did. */
  #passMs = Number.POSITIVE_INFINITY;
  #passedMs = Number.NEGATIVE_INFINITY;
  /** When the neighbours were last asked for their announcements. */
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly tree: number,
    private readonly context: TreeContext,
  ) {
    this.#announcer = new Announcer(tree, context.config.announceGapMs, context.edges);
  }

  handleLinkDown(port: number): void {
    this.#announcer.handleLinkDown(port);
  }

  /** See `Announcer`. */
  handleUnread(port: number): void {
    this.#announcer.handleUnread(port);
  }

  visitPaths(visit: (path: number) => number): void {
    this.#announcer.visitPaths(visit);
  }

  /** The neighbour behind `port` is to be sent an ANNOUNCE. */
  announceTo(port: number, nowMs: number): void {
    this.#announcer.request(port, nowMs);
  }

  announceToAll(nowMs: number): void {
    for (const { port } of this.context.peers()) this.#announcer.request(port, nowMs);
  }

  /** A new seq goes to the children: at most as often as announcements do, whatever the root does. */
  passSeq(nowMs: number): void {
    this.#passMs = Math.min(this.#passMs, Math.max(nowMs, this.#passedMs + this.context.config.announceGapMs));
  }

  /** Sends what is due; `budgetOf` gives the signatures that a neighbour may be made to check, so that nobody makes us flood it. */
  transmit(ancestry: Ancestry | undefined, budgetOf: (port: number) => Budget, nowMs: number): void {
    for (const port of this.#announcer.takeDue(nowMs)) {
      const budget = budgetOf(port);
      if (budget.overdraw(0, nowMs)) {
        const { frame, signatures } = this.#announcer.encode(port, ancestry, nowMs);
        budget.overdraw(signatures, nowMs);
        this.context.send(port, frame);
      } else this.#announcer.request(port, budget.paidMs());
    }
    if (nowMs < this.#passMs) return;
    this.#passMs = Number.POSITIVE_INFINITY;
    this.#passedMs = nowMs;
    if (ancestry !== undefined) for (const port of this.context.subtree.children()) this.sendHeartbeat(port, ancestry);
  }

  /** The root lives: to a child that does not know it yet, nor from an ANNOUNCE that waits for it. A leaf is told nothing. */
  sendHeartbeat(port: number, { root, seq, signature }: Ancestry): void {
    if (this.context.peer(port)?.leaf !== false || !this.#announcer.wantsHeartbeat(port, seq)) return;
    this.#announcer.handleHeartbeat(port, seq);
    this.context.send(port, HEARTBEAT.encode({ tree: this.tree, root, seq, signature }));
  }

  /** When the neighbours may be asked again for their announcements. */
  get nextAskMs(): number {
    return this.#askedMs + this.context.config.askGapMs;
  }

  askAround(nowMs: number): void {
    this.#askedMs = nowMs;
    this.#sendToRelays(ANNOUNCE_REQUEST.encode({ tree: this.tree, flags: 0 }));
  }

  askForSeq(port: number, root: Uint8Array, seq: number, hops: number): void {
    this.context.send(port, SEQ_REQUEST.encode({ tree: this.tree, root, seq, hops }));
  }

  reportLost(report: RootLost): void {
    this.#sendToRelays(ROOT_LOST.encode(report));
  }

  pollTimeout(): number {
    return Math.min(this.#announcer.pollTimeout(), this.#passMs);
  }

  #sendToRelays(frame: Uint8Array): void {
    for (const peer of this.context.peers()) if (!peer.leaf) this.context.send(peer.port, frame);
  }
}
