import type { Crypto, Identity, RandomBytes } from "../crypto/crypto.js";
import type { VerdictCache } from "../crypto/verdicts.js";
import { CloseCode } from "../wire/codes.js";
import type { EdgeBytes } from "../wire/edge.js";
import { Kind, kindOf } from "../wire/kinds.js";
import type { TreeConfig } from "./config.js";
import { Epochs } from "./epochs.js";
import { Forwarder } from "./forward.js";
import type { SignedLocator, StoredLocator } from "./locators.js";
import type { PathConfig } from "./path-config.js";
import { type PathEvent, Paths } from "./paths.js";
import type { Announced, Peer, RoutingView } from "./peer.js";
import type { LinkQueue } from "./queue.js";
import { Queues } from "./queues.js";
import type { Route } from "./route.js";
import { newRouterStats, type RouterStats } from "./stats.js";
import type { Subtree } from "./subtree.js";
import type { Tree } from "./tree.js";
import { Trees } from "./trees.js";

export interface RouterOptions {
  readonly crypto: Crypto;
  readonly verdicts: VerdictCache;
  readonly identity: Identity;
  readonly networkId: Uint8Array;
  readonly random: RandomBytes;
  /** Nobody's parent and never a root. */
  readonly leaf: boolean;
  /** In a private network, the keys that may be root, in hex; undefined: every key may. */
  readonly rootKeys?: ReadonlySet<string>;
  /** The clock at the start, in milliseconds since 1970, and the value that the last `persist` event asked to keep. */
  readonly wallMs: number;
  readonly storedEpoch: number;
  readonly storedLocators?: Iterable<StoredLocator>;
  readonly trees: TreeConfig;
  readonly paths: PathConfig;
}

export type RouterEvent =
  | PathEvent
  /** The neighbour behind `port` broke a rule: close its link with `code`. */
  | { readonly type: "violation"; readonly port: number; readonly code: CloseCode }
  /** A tree has another root now, or with undefined none that this node knows: for people. */
  | { readonly type: "root"; readonly tree: number; readonly key: Uint8Array | undefined }
  /** Keep this value on disk; it is given back as `storedEpoch`. */
  | { readonly type: "persist"; readonly epoch: number };

/**
 * Where frames go. A sans-IO machine over links that are up:
 *
 * 1. `handleLinkUp`, `handleLinkDown`, `handleControl`, `forward`, `handleTimeout`: inputs, with the time;
 * 2. `pollReady` names ports whose queue got frames, `pollTransmit` gives them one by one, when the link can take them;
 * 3. `pollEvent` until there is none;
 * 4. `pollTimeout` says when `handleTimeout` is due.
 *
 * The trees and subtree tables are in trees.ts, the ways to keys in paths.ts, the step of a DATA frame in forward.ts.
 */
export class Router {
  readonly stats: RouterStats = newRouterStats();
  readonly epochs: Epochs;
  readonly #queues: Queues;
  readonly #trees: Trees;
  readonly #forwarder: Forwarder;
  readonly #paths: Paths;
  readonly #events: RouterEvent[] = [];

  constructor(options: RouterOptions, nowMs: number) {
    this.epochs = new Epochs(options.wallMs, options.storedEpoch);
    this.#queues = new Queues(options.paths, this.stats.drops);
    const send = (port: number, frame: Uint8Array) => this.#sendControl(port, frame);
    const violation = (port: number, code: CloseCode) => this.#violate(port, code);
    const rootChanged = (tree: number, key: Uint8Array | undefined) =>
      void this.#events.push({ type: "root", tree, key });
    const { stats, epochs } = this;
    const hooks = { send, violation, rootChanged };
    this.#trees = new Trees({ ...options, ...hooks, epochs, config: options.trees, stats }, nowMs);
    this.#forwarder = new Forwarder(this.#trees, this.#queues, this.stats.drops, options.paths);
    const deps = { ...options, queues: this.#queues, drops: this.stats.drops, config: options.paths };
    this.#paths = new Paths(this.#trees, deps, nowMs);
    if (options.storedLocators !== undefined) this.#paths.loadLocators(options.storedLocators);
  }

  // Links

  handleLinkUp(link: Omit<Peer, "announced">, nowMs: number): void {
    this.#queues.handleLinkUp(link.port);
    const { port, key, leaf, linkEpoch, theirPort, theirHalf, ourHalf, rttMs } = link;
    const announced = [undefined, undefined, undefined];
    this.#trees.handleLinkUp({ port, key, leaf, linkEpoch, theirPort, theirHalf, ourHalf, rttMs, announced }, nowMs);
  }

  handleLinkDown(port: number, nowMs: number): void {
    this.#queues.handleLinkDown(port);
    this.#trees.handleLinkDown(port, nowMs);
    this.#forwarder.handleLinkDown(port);
    this.#paths.handleLinkDown(port, nowMs);
  }

  /** The link's smoothed round-trip time changed. */
  handleRtt(port: number, rttMs: number): void {
    const peer = this.#trees.peer(port);
    if (peer !== undefined) peer.rttMs = rttMs;
  }

  /** What the line of the link takes, where it is what limits; else Infinity. True where it was another before. */
  handlePace(port: number, bytesPerMs: number): boolean {
    return this.#queues.get(port)?.handlePace(bytesPerMs) === true;
  }

  // Frames

  /** Takes every kind but DATA, PING and PONG. */
  handleControl(frame: Uint8Array, port: number, nowMs: number): void {
    const kind = kindOf(frame);
    let code: CloseCode | undefined;
    if (kind === Kind.PROBE) code = this.#paths.handleProbe(frame, port, nowMs);
    else if (kind === Kind.PROBE_REPLY) code = this.#paths.handleProbeReply(frame, port, nowMs);
    else if (kind === Kind.ROUTE_BROKEN) code = this.#paths.handleRouteBroken(frame, port, nowMs);
    else if (kind === Kind.BALL_REQUEST || kind === Kind.BALL)
      code = this.#paths.handleBallFrame(frame, kind, port, nowMs);
    else this.#trees.handleControl(frame, kind, port, nowMs);
    if (code !== undefined) this.#violate(port, code);
  }

  /** Sends a DATA frame on: the egress port, 0 where it is for this node, or a counted `DropReason`. See `Forwarder.forward`. */
  forward(frame: Uint8Array, ingress: number, nowMs: number): number {
    const egress = this.#forwarder.forward(frame, ingress, nowMs);
    if (egress > 0) this.stats.forwarded++;
    else if (egress === 0) this.stats.delivered++;
    return egress;
  }

  pollReady(): number {
    return this.#queues.pollReady();
  }

  pollTransmit(port: number): Uint8Array | undefined {
    return this.#queues.pop(port);
  }

  /** The next of the frames that go first, where no other may be sent. */
  pollUrgent(port: number): Uint8Array | undefined {
    return this.#queues.popControl(port);
  }

  /** True where frames wait for the link. */
  isWaiting(port: number): boolean {
    return this.#queues.get(port)?.isEmpty === false;
  }

  /** True while sessions may hand over packets that leave by this port. */
  hasRoomForOwn(port: number): boolean {
    return this.#queues.hasRoomForOwn(port);
  }

  // Ways to keys

  /** The ways to keys: routes, probes, locators. */
  get paths(): Paths {
    return this.#paths;
  }

  route(key: Uint8Array): Route | undefined {
    return this.#paths.route(key);
  }

  /** This node's own locator with its signature. */
  ownLocator(): SignedLocator {
    return this.#trees.locator();
  }

  // What the node, its status and the simulator's checkers read

  /** The tables that forwarding goes by. */
  get view(): RoutingView {
    return this.#trees;
  }

  /** What waits for the link behind a port; undefined without one. */
  queue(port: number): Pick<LinkQueue, "controlBytes" | "dataBytes" | "probeBytes"> | undefined {
    return this.#queues.get(port);
  }

  get trees(): readonly Tree[] {
    return this.#trees.trees;
  }

  /** The edges from the root down to a neighbour, as it announced them. */
  pathOf({ path }: Announced): EdgeBytes[] {
    return this.#trees.edges.path(path);
  }

  /** The subtree table of each tree. */
  get subtrees(): readonly Subtree[] {
    return this.#trees.subtrees;
  }

  /** Keys in the subtree table of each tree. */
  tableSizes(): readonly number[] {
    return this.#trees.subtrees.map((subtree) => subtree.size);
  }

  /** True where a tree uses the link: the neighbour is parent or child. */
  isTreeLink(port: number): boolean {
    for (const subtree of this.#trees.subtrees) if (subtree.isChild(port)) return true;
    return this.isParentLink(port);
  }

  /** True where the neighbour is a parent of ours. */
  isParentLink(port: number): boolean {
    for (const tree of this.#trees.trees) if (tree.parentPort === port) return true;
    return false;
  }

  // Time and events

  handleTimeout(nowMs: number): void {
    this.#trees.handleTimeout(nowMs);
    this.#paths.handleTimeout(nowMs);
  }

  pollTimeout(): number {
    return Math.min(this.#trees.pollTimeout(), this.#paths.pollTimeout());
  }

  pollEvent(): RouterEvent | undefined {
    const event = this.#events.shift() ?? this.#paths.pollEvent();
    if (event !== undefined) return event;
    const epoch = this.epochs.pollPersist();
    return epoch === undefined ? undefined : { type: "persist", epoch };
  }

  /** A neighbour that does not take its control frames is too slow to be one. */
  #sendControl(port: number, frame: Uint8Array): void {
    if (this.#trees.peer(port) !== undefined && !this.#queues.pushControl(port, frame))
      this.#violate(port, CloseCode.SLOW);
  }

  #violate(port: number, code: CloseCode): void {
    this.stats.violations++;
    this.#events.push({ type: "violation", port, code });
  }
}
