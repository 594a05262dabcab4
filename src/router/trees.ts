import type { Crypto, Identity } from "../crypto/crypto.js";
import { SignTag, signedMessage } from "../crypto/sign.js";
import type { VerdictCache } from "../crypto/verdicts.js";
import { Budget } from "../wire/budget.js";
import { toHex } from "../wire/bytes.js";
import { CloseCode } from "../wire/codes.js";
import {
  ANNOUNCE,
  ANNOUNCE_REQUEST,
  type Announce,
  type AnnounceRequest,
  HEARTBEAT,
  type Heartbeat,
  REG,
  REG_REFUSED,
  REQUEST_WHOLE,
  RegRefusal,
  type RegRefused,
  ROOT_LOST,
  type RootLost,
  SEQ_REQUEST,
} from "../wire/control.js";
import { Kind } from "../wire/kinds.js";
import { TREE_COUNT } from "../wire/limits.js";
import { encodeLocator } from "../wire/locator.js";
import { type Reader, readAnnounce } from "./ancestry.js";
import type { TreeConfig } from "./config.js";
import { EdgeStore } from "./edge-store.js";
import { idOf } from "./entry.js";
import type { Epochs } from "./epochs.js";
import { Hearing } from "./hearing.js";
import type { Peer, RoutingView } from "./peer.js";
import { rankOf } from "./rank.js";
import { Registrar } from "./registrar.js";
import type { RouterStats } from "./stats.js";
import { Subtree } from "./subtree.js";
import { Tree } from "./tree.js";
import { Trust } from "./trust.js";

export interface TreesOptions {
  readonly crypto: Crypto;
  readonly verdicts: VerdictCache;
  readonly identity: Identity;
  readonly networkId: Uint8Array;
  readonly leaf: boolean;
  /** In a private network, the keys that may be root, in hex; undefined: every key may. */
  readonly rootKeys?: ReadonlySet<string>;
  readonly epochs: Epochs;
  readonly config: TreeConfig;
  readonly stats: RouterStats;
  /** Queues a control frame for the neighbour behind a port. */
  send(port: number, frame: Uint8Array): void;
  /** The neighbour behind `port` broke a rule: its link is to be closed with `code`. */
  violation(port: number, code: CloseCode): void;
  /** See `TreeContext`. */
  rootChanged(tree: number, key: Uint8Array | undefined): void;
}

/** What a link has besides its peer: what it may have us do, and we it. */
interface LinkState {
  readonly peer: Peer;
  /** The signatures that our announcements may make the neighbour check. */
  readonly telling: Budget;
  readonly hearing: Hearing;
  readonly frames: Budget;
  /** A rule was broken: nothing more is taken from this link. */
  isBroken: boolean;
}

/** The control plane: three trees and their subtree tables, fed by the frames from HEARTBEAT to REG_REFUSED. */
export class Trees implements RoutingView {
  readonly key: Uint8Array;
  readonly trees: readonly Tree[];
  readonly subtrees: readonly Subtree[];
  /** Every path that is held: of neighbours, this node's own, and those that neighbours were told. */
  readonly edges = new EdgeStore((visit) => this.#visitPaths(visit));
  /** By port; a port without a link is undefined. */
  readonly #links: (LinkState | undefined)[] = [];
  readonly #peers = new Map<string, Peer>();
  /** Ports of neighbours that have yet to be asked for an ANNOUNCE. */
  readonly #asking = new Set<number>();
  readonly #trust: Trust;
  readonly #registrar: Registrar;
  readonly #reader: Reader;
  #locator: { readonly bytes: Uint8Array; readonly signature: Uint8Array } | undefined;
  #locatorPlaces: readonly unknown[] = [];
  /** When `handleTimeout` is due; undefined where an input may have changed that. Most of what a node takes in are no such inputs. */
  #dueMs: number | undefined;

  constructor(
    private readonly options: TreesOptions,
    nowMs: number,
  ) {
    const { crypto, verdicts, identity, networkId, rootKeys, config, stats } = options;
    this.key = identity.publicKey;
    this.#trust = new Trust(crypto, verdicts, identity, networkId);
    this.#reader = { crypto, trust: this.#trust, edges: this.edges, peers: () => this.#peers.values() };
    const send = options.send;
    const entries = new Budget(config.signaturesPerSecond / 2, config.signaturesBurst / 2, nowMs);
    this.subtrees = Array.from({ length: TREE_COUNT }, (_, t) => new Subtree(this.key, t, config, entries, send));
    const handleChild = (tree: number, port: number) => this.trees[tree]!.handleChild(port);
    this.#registrar = new Registrar(this.key, this.subtrees, this.#trust, config, stats, send, handleChild);
    const mayBeRoot = (key: Uint8Array) => rootKeys === undefined || rootKeys.has(toHex(key));
    const shared = {
      ...options,
      key: this.key,
      trust: this.#trust,
      edges: this.edges,
      mayBeRoot,
      peer: (port: number) => this.peer(port),
      peers: () => this.#peers.values(),
    };
    this.trees = this.subtrees.map(
      (subtree, t) => new Tree(t, { ...shared, rank: rankOf(crypto, t, this.key), subtree }, nowMs),
    );
  }

  // RoutingView

  peer(port: number): Peer | undefined {
    return this.#links[port]?.peer;
  }

  peerByKey(key: Uint8Array): Peer | undefined {
    return this.#peers.get(toHex(key));
  }

  peers(): Iterable<Peer> {
    return this.#peers.values();
  }

  /** This node's locator, with a new epoch whenever its place changed. */
  locator(): { readonly bytes: Uint8Array; readonly signature: Uint8Array } {
    const places = this.trees.map((tree) => tree.position);
    if (this.#locator === undefined || places.some((place, t) => place !== this.#locatorPlaces[t])) {
      const { crypto, identity, networkId, epochs } = this.options;
      const bytes = encodeLocator(epochs.next(), places);
      const signature = crypto.sign(signedMessage(SignTag.LOCATOR, networkId, bytes), identity);
      this.#locator = { bytes, signature };
      this.#locatorPlaces = places;
    }
    return this.#locator;
  }

  /** Before all trees are made nothing is given back that the first have: there is room for their roots. */
  #visitPaths(visit: (path: number) => number): void {
    for (const { announced } of this.#peers.values())
      for (const place of announced) if (place !== undefined) place.path = visit(place.path);
    for (const tree of this.trees ?? []) tree.visitPaths(visit);
  }

  // Links

  handleLinkUp(peer: Peer, nowMs: number): void {
    this.#dueMs = undefined;
    const { controlBurst, controlPerSecond, signaturesBurst, signaturesPerSecond } = this.options.config;
    this.#links[peer.port] = {
      peer,
      // Three quarters of what a neighbour with the same limits takes: the rest is for heartbeats and reports.
      telling: new Budget((signaturesPerSecond * 3) / 4, (signaturesBurst * 3) / 4, nowMs),
      hearing: new Hearing(signaturesPerSecond, signaturesBurst, nowMs),
      frames: new Budget(controlPerSecond, controlBurst, nowMs),
      isBroken: false,
    };
    this.#peers.set(toHex(peer.key), peer);
    for (const tree of this.trees) tree.handleLinkUp(peer, nowMs);
  }

  handleLinkDown(port: number, nowMs: number): void {
    const peer = this.#links[port]?.peer;
    if (peer === undefined) return;
    this.#dueMs = undefined;
    this.#links[port] = undefined;
    this.#asking.delete(port);
    this.#peers.delete(toHex(peer.key));
    this.#registrar.handleLinkDown(port, nowMs);
    for (const tree of this.trees) tree.handleLinkDown(peer, nowMs);
  }

  // Frames

  /** Takes a control frame from HEARTBEAT to REG_REFUSED. */
  handleControl(frame: Uint8Array, kind: number, port: number, nowMs: number): void {
    const link = this.#links[port];
    if (link === undefined || link.isBroken) return;
    this.#dueMs = undefined;
    const code = link.frames.take(nowMs) ? this.#dispatch(frame, kind, link, nowMs) : CloseCode.FLOOD;
    if (code !== undefined) this.#breakOff(port, code);
  }

  #breakOff(port: number, code: CloseCode): void {
    this.#links[port]!.isBroken = true;
    if (code === CloseCode.FLOOD) this.options.stats.floods++;
    this.options.violation(port, code);
  }

  /** The code of the rule that the frame broke, or undefined. */
  #dispatch(frame: Uint8Array, kind: number, link: LinkState, nowMs: number): CloseCode | undefined {
    switch (kind) {
      case Kind.HEARTBEAT: {
        const heartbeat = HEARTBEAT.decode(frame);
        return typeof heartbeat === "number" ? heartbeat : this.#handleHeartbeat(link, heartbeat, nowMs);
      }
      case Kind.ANNOUNCE: {
        const announce = ANNOUNCE.decode(frame);
        return typeof announce === "number" ? announce : this.#handleAnnounce(link, announce, nowMs);
      }
      case Kind.ANNOUNCE_REQUEST: {
        const request = ANNOUNCE_REQUEST.decode(frame);
        return typeof request === "number" ? request : this.#handleAnnounceRequest(link, request, nowMs);
      }
      case Kind.SEQ_REQUEST: {
        const request = SEQ_REQUEST.decode(frame);
        if (typeof request === "number") return request;
        this.trees[request.tree]!.handleSeqRequest(link.peer, request, nowMs);
        return undefined;
      }
      case Kind.ROOT_LOST: {
        const report = ROOT_LOST.decode(frame);
        return typeof report === "number" ? report : this.#handleRootLost(link, report, nowMs);
      }
      case Kind.REG: {
        const reg = REG.decode(frame);
        if (typeof reg === "number") return reg;
        return this.options.leaf ? CloseCode.UNEXPECTED : this.#registrar.handleReg(link.peer, reg, nowMs);
      }
      case Kind.REG_REFUSED: {
        const refused = REG_REFUSED.decode(frame);
        return typeof refused === "number" ? refused : this.#handleRegRefused(link, refused, nowMs);
      }
      default:
        return CloseCode.UNEXPECTED;
    }
  }

  #handleHeartbeat({ peer, hearing }: LinkState, heartbeat: Heartbeat, nowMs: number): CloseCode | undefined {
    const tree = this.trees[heartbeat.tree]!;
    if (hearing.isUnread(heartbeat.tree) || !tree.wantsHeartbeat(peer, heartbeat)) {
      this.options.stats.heartbeatsIgnored++;
    } else if (!hearing.mayCheck(1, nowMs)) {
      hearing.handleMissed(heartbeat.tree);
      this.#putOff(peer.port);
    } else if (this.#trust.heartbeatIsValid(heartbeat)) {
      tree.handleHeartbeat(peer, heartbeat, nowMs);
    } else return CloseCode.BAD_EDGE;
    return undefined;
  }

  #handleAnnounce({ peer, hearing }: LinkState, announce: Announce, nowMs: number): CloseCode | undefined {
    const { tree } = announce;
    const mayCheck = (signatures: number) => hearing.mayCheck(signatures, nowMs);
    const reading = readAnnounce(announce, peer, hearing.isUnread(tree), this.#reader, mayCheck);
    if (reading.kind === "violation") return reading.code;
    if (reading.kind === "unread") {
      // It was sent before our request for the whole came there.
      this.options.stats.announcesUnread++;
      return undefined;
    }
    if (reading.kind === "unpaid") {
      hearing.handleUnread(tree);
      this.#putOff(peer.port);
      return undefined;
    }
    hearing.handleRead(tree);
    peer.announced[tree] = reading.kind === "announced" ? reading.announced : undefined;
    this.trees[tree]!.handleAnnounce(peer, nowMs);
    return undefined;
  }

  /** Something of the neighbour was not checked, since its budget of signatures is spent: it is asked for again later. */
  #putOff(port: number): void {
    this.options.stats.checksDelayed++;
    this.#asking.add(port);
  }

  #handleAnnounceRequest(link: LinkState, request: AnnounceRequest, nowMs: number): undefined {
    const isWhole = (request.flags & REQUEST_WHOLE) !== 0;
    this.trees[request.tree]!.handleAnnounceRequest(link.peer, isWhole, nowMs);
  }

  #handleRootLost(link: LinkState, report: RootLost, nowMs: number): CloseCode | undefined {
    const tree = this.trees[report.tree]!;
    if (!tree.wantsRootLost(report, nowMs)) {
      this.options.stats.rootLostsIgnored++;
      return undefined;
    }
    if (!link.hearing.mayCheck(3, nowMs)) {
      this.options.stats.checksDelayed++;
      return undefined;
    }
    if (!this.#trust.rootLostIsValid(report)) return CloseCode.BAD_EDGE;
    if (!tree.handleRootLost(report, nowMs)) return undefined;
    const frame = ROOT_LOST.encode(report);
    for (const peer of this.#peers.values()) if (peer !== link.peer && !peer.leaf) this.options.send(peer.port, frame);
    return undefined;
  }

  /** Only the parent that has our set may refuse. What is about this node's own edge renews it. */
  #handleRegRefused(link: LinkState, refused: RegRefused, nowMs: number): undefined {
    if (this.subtrees[refused.tree]!.upward.parentPort !== link.peer.port) return;
    this.options.stats.regRefusals++;
    const isOwnEpoch = refused.reason === RegRefusal.STALE && toHex(refused.id) === idOf(this.key);
    if (isOwnEpoch) this.trees[refused.tree]!.handleOwnEpoch(refused.epoch, nowMs);
    else this.#registrar.handleRefusal(link.peer.port, refused, nowMs);
  }

  // Time

  handleTimeout(nowMs: number): void {
    if (nowMs < this.pollTimeout()) return;
    this.#dueMs = undefined;
    this.#registrar.handleTimeout(
      nowMs,
      (port) => this.peer(port),
      (port, code) => this.#breakOff(port, code),
    );
    for (const port of this.#asking) this.#ask(port, nowMs);
    for (const tree of this.trees) {
      tree.handleTimeout(nowMs);
      tree.transmit((port) => this.#links[port]!.telling, nowMs);
    }
  }

  /** Asks for what was not read, once there is budget to read it. */
  #ask(port: number, nowMs: number): void {
    const { hearing } = this.#links[port]!;
    const dueMs = hearing.pollTimeout();
    if (nowMs < dueMs && dueMs !== Number.POSITIVE_INFINITY) return;
    for (const wanted of hearing.takeWanted()) this.options.send(port, ANNOUNCE_REQUEST.encode(wanted));
    this.#asking.delete(port);
  }

  pollTimeout(): number {
    this.#dueMs ??= this.#nextMs();
    return this.#dueMs;
  }

  #nextMs(): number {
    let nextMs = this.#registrar.pollTimeout();
    for (const port of this.#asking) nextMs = Math.min(nextMs, this.#links[port]!.hearing.pollTimeout());
    for (const tree of this.trees) nextMs = Math.min(nextMs, tree.pollTimeout());
    return nextMs;
  }
}
