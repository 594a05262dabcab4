import { ANNOUNCE_REQUEST, HEARTBEAT, ROOT_LOST, type RootLost, SEQ_REQUEST } from "../wire/control.js";
import { type Ancestry, Announcer } from "./announcer.js";
import type { EdgeMemory } from "./edges.js";
import type { TreeContext } from "./tree-context.js";

/** What a node tells its neighbours of one tree, and what it asks them. */
export class Herald {
  readonly #announcer: Announcer;
  /** When the neighbours were last asked for their announcements. */
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly tree: number,
    private readonly context: TreeContext,
  ) {
    this.#announcer = new Announcer(tree, context.config.announceGapMs);
  }

  handleLinkDown(port: number): void {
    this.#announcer.handleLinkDown(port);
  }

  /** The neighbour behind `port` is to be sent an ANNOUNCE. */
  announceTo(port: number, nowMs: number): void {
    this.#announcer.request(port, nowMs);
  }

  announceToAll(nowMs: number): void {
    for (const { port } of this.context.peers()) this.#announcer.request(port, nowMs);
  }

  /** Sends what is due; `sentTo` gives the edges that a neighbour holds. */
  transmit(ancestry: Ancestry | undefined, sentTo: (port: number) => EdgeMemory, nowMs: number): void {
    for (const port of this.#announcer.takeDue(nowMs))
      this.context.send(port, this.#announcer.encode(port, ancestry, sentTo(port)));
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
    return this.#announcer.pollTimeout();
  }

  #sendToRelays(frame: Uint8Array): void {
    for (const peer of this.context.peers()) if (!peer.leaf) this.context.send(peer.port, frame);
  }
}
