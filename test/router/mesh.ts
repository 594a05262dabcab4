import type { Crypto, Identity } from "../../src/crypto/crypto.js";
import { VerdictCache } from "../../src/crypto/verdicts.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { TREE_DEFAULTS, type TreeConfig } from "../../src/router/config.js";
import { Epochs } from "../../src/router/epochs.js";
import type { Peer } from "../../src/router/peer.js";
import { newRouterStats, type RouterStats } from "../../src/router/stats.js";
import { Trees } from "../../src/router/trees.js";
import { halfMessage } from "../../src/router/trust.js";
import type { CloseCode } from "../../src/wire/codes.js";
import { kindOf } from "../../src/wire/kinds.js";
import type { Graph, Random } from "./graphs.js";

export const crypto = nativeCrypto();
export const networkId = new TextEncoder().encode("test");
export const verdicts = new VerdictCache(crypto, { max: 200_000 });

/** Where the clock stands when a mesh begins, in milliseconds since 1970. */
export const WALL_MS = 1_700_000_000_000;
/** A node that is always ready again at once spins. */
const SPINS_MAX = 50;

export interface MemberOptions {
  readonly leaf?: boolean;
  readonly config?: Partial<TreeConfig>;
  /** Hex keys that may be root; every key where there is no list. */
  readonly rootKeys?: ReadonlySet<string>;
  readonly crypto?: Crypto;
}

/** One direction of a link. */
interface Wire {
  readonly to: Member;
  readonly toPort: number;
  /** The same on both sides of one link. */
  readonly linkEpoch: number;
  readonly delayMs: number;
  readonly jitterMs: number;
  /** Messages keep their order. */
  lastArrivalMs: number;
  /** Nothing arrives any more, and nobody was told. */
  isSilent: boolean;
}

/** A control plane at work: trees and nothing else, over links with a delay, in virtual time. */
export class Member {
  trees!: Trees;
  stats: RouterStats = newRouterStats();
  epochs!: Epochs;
  isDead = false;
  /** Does what the rules say; views look at such members only. */
  readonly isHonest: boolean = true;
  sentBytes = 0;
  /** Frames that came in, by kind. */
  readonly received = new Map<number, number>();
  readonly violations: { readonly port: number; readonly code: CloseCode }[] = [];
  #violationsTaken = 0;
  /** Port to the link behind it. */
  readonly wires = new Map<number, Wire>();
  readonly #ports = new Map<Member, number>();
  /** What the node keeps on disk. */
  storedEpoch = 0;

  constructor(
    readonly mesh: Mesh,
    readonly identity: Identity,
    readonly options: MemberOptions,
  ) {
    this.start(WALL_MS);
  }

  get key(): Uint8Array {
    return this.identity.publicKey;
  }

  /** Begins anew, with nothing but what the disk has. */
  start(wallMs: number): void {
    this.stats = newRouterStats();
    this.epochs = new Epochs(wallMs, this.storedEpoch);
    const { leaf = false, rootKeys, config } = this.options;
    const options = {
      crypto: this.options.crypto ?? crypto,
      verdicts,
      identity: this.identity,
      networkId,
      leaf,
      ...(rootKeys === undefined ? {} : { rootKeys }),
      epochs: this.epochs,
      config: { ...TREE_DEFAULTS, ...config },
      stats: this.stats,
      send: (port: number, frame: Uint8Array) => this.mesh.send(this, port, frame),
      violation: (port: number, code: CloseCode) => void this.violations.push({ port, code }),
      rootChanged: () => {},
    };
    this.trees = new Trees(options, this.mesh.nowMs);
  }

  handleFrame(frame: Uint8Array, port: number): void {
    const kind = kindOf(frame);
    this.received.set(kind, (this.received.get(kind) ?? 0) + 1);
    this.trees.handleControl(frame, kind, port, this.mesh.nowMs);
  }

  /** The broken rules that were not asked for yet. */
  takeViolations(): { readonly port: number; readonly code: CloseCode }[] {
    const fresh = this.violations.slice(this.#violationsTaken);
    this.#violationsTaken = this.violations.length;
    return fresh;
  }

  handleLinkUp(peer: Peer): void {
    this.trees.handleLinkUp(peer, this.mesh.nowMs);
  }

  handleLinkDown(port: number): void {
    this.trees.handleLinkDown(port, this.mesh.nowMs);
  }

  /** Does what is due, and gives the time of what comes next. */
  handleTimeout(): number {
    const { nowMs } = this.mesh;
    for (let spins = 0; this.trees.pollTimeout() <= nowMs; spins++) {
      if (spins > SPINS_MAX) throw new Error(`a node spins at ${nowMs} ms`);
      this.trees.handleTimeout(nowMs);
    }
    this.storedEpoch = this.epochs.pollPersist() ?? this.storedEpoch;
    return this.trees.pollTimeout();
  }

  /** A port belongs to a neighbour's key: a link that comes back has the number that it had. */
  portFor(other: Member): number {
    const port = this.#ports.get(other) ?? this.#ports.size + 1;
    this.#ports.set(other, port);
    return port;
  }

  /** The port of the link to `other`, 0 without one. */
  portTo(other: Member): number {
    const port = this.#ports.get(other) ?? 0;
    return this.wires.has(port) ? port : 0;
  }

  neighbours(): Member[] {
    return [...this.wires.values()].map((wire) => wire.to);
  }

  /** The parent in a tree, where frames get to it. */
  parent(tree: number): Member | undefined {
    const wire = this.wires.get(this.trees.trees[tree]!.parentPort);
    return wire !== undefined && isWhole(wire) ? wire.to : undefined;
  }
}

/** True while what goes in at one end comes out at the other. */
export function isWhole({ to, toPort, linkEpoch, isSilent }: Wire): boolean {
  return !isSilent && !to.isDead && to.wires.get(toPort)?.linkEpoch === linkEpoch;
}

export interface LinkOptions {
  readonly delayMs?: number;
  /** A frame is late by up to this; order is kept. */
  readonly jitterMs?: number;
}

/** Members, their links, and the time that they share. */
export class Mesh {
  nowMs = 0;
  frames = 0;
  readonly members: Member[] = [];
  /** Called after each input that a member took. */
  onInput: (member: Member) => void = () => {};
  #linkEpoch = WALL_MS;
  readonly #queue = new EventQueue();
  readonly #wakeMs = new Map<Member, number>();

  constructor(readonly random: Random = () => 0) {}

  add(options: MemberOptions = {}): Member {
    return this.adopt((identity) => new Member(this, identity, options));
  }

  /** Takes in a member of the test's own kind. */
  adopt<M extends Member>(make: (identity: Identity) => M): M {
    const seed = new Uint8Array(32);
    new DataView(seed.buffer).setUint32(0, this.members.length + 1);
    const member = make(crypto.identityFromSeed(seed));
    this.members.push(member);
    return member;
  }

  /** The honest members that live. */
  alive(): Member[] {
    return this.members.filter((member) => member.isHonest && !member.isDead);
  }

  /** A new link between two members takes the place of one that is dead, or half dead. */
  link(a: Member, b: Member, { delayMs = 10, jitterMs = 0 }: LinkOptions = {}): void {
    this.cut(a, b);
    const linkEpoch = ++this.#linkEpoch;
    const [portA, portB] = [a.portFor(b), b.portFor(a)];
    const halfA = crypto.sign(halfMessage(networkId, a.key, b.key, portA, linkEpoch), a.identity);
    const halfB = crypto.sign(halfMessage(networkId, b.key, a.key, portB, linkEpoch), b.identity);
    const wire = { linkEpoch, delayMs, jitterMs, lastArrivalMs: 0, isSilent: false };
    a.wires.set(portA, { to: b, toPort: portB, ...wire });
    b.wires.set(portB, { to: a, toPort: portA, ...wire });
    const shared = { linkEpoch, rttMs: 2 * delayMs };
    const peerOf = (to: Member, port: number, theirPort: number, ourHalf: Uint8Array, theirHalf: Uint8Array): Peer => {
      const { key, options } = to;
      return { ...shared, port, key, leaf: options.leaf ?? false, theirPort, ourHalf, theirHalf, announced: [] };
    };
    a.handleLinkUp(peerOf(b, portA, portB, halfA, halfB));
    b.handleLinkUp(peerOf(a, portB, portA, halfB, halfA));
    this.wake(a);
    this.wake(b);
  }

  /** The link ends, and both sides notice at once. */
  cut(a: Member, b: Member): void {
    this.drop(a, a.portTo(b));
    this.drop(b, b.portTo(a));
  }

  /** Nothing passes any more; the sides notice `noticeMs` later. */
  cutSilently(a: Member, b: Member, noticeMs: number): void {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const wire = from.wires.get(from.portTo(to))!;
      wire.isSilent = true;
      this.at(noticeMs, () => {
        if (from.wires.get(wire.to === to ? from.portTo(to) : 0) === wire) this.drop(from, from.portTo(to));
      });
    }
  }

  /** One side finds its link gone. */
  drop(member: Member, port: number): void {
    if (!member.wires.delete(port)) return;
    member.handleLinkDown(port);
    this.wake(member);
  }

  /** The member is gone; its neighbours notice `noticeMs` later. */
  kill(member: Member, noticeMs = 0): void {
    member.isDead = true;
    for (const { to, toPort } of member.wires.values()) {
      const wire = to.wires.get(toPort);
      this.at(noticeMs, () => {
        if (wire !== undefined && to.wires.get(toPort) === wire) this.drop(to, toPort);
      });
    }
    member.wires.clear();
  }

  /** A dead member begins anew, without links. With `lostDisk` it has its key and nothing else. */
  restart(member: Member, { wallMs = WALL_MS + this.nowMs, lostDisk = false } = {}): void {
    member.isDead = false;
    if (lostDisk) member.storedEpoch = 0;
    member.start(wallMs);
    this.wake(member);
  }

  send(from: Member, port: number, frame: Uint8Array): void {
    const wire = from.wires.get(port);
    if (wire === undefined) return;
    from.sentBytes += frame.length;
    this.frames++;
    const jitterMs = wire.jitterMs === 0 ? 0 : this.random(wire.jitterMs);
    wire.lastArrivalMs = Math.max(wire.lastArrivalMs, this.nowMs + wire.delayMs + jitterMs);
    const { to, toPort } = wire;
    this.at(wire.lastArrivalMs - this.nowMs, () => {
      if (!isWhole(wire)) return;
      to.handleFrame(frame.slice(), toPort);
      this.wake(to);
    });
  }

  at(delayMs: number, run: () => void): void {
    this.#queue.push(this.nowMs + delayMs, run);
  }

  /** Lets a member do what is due; ends the links on which a rule was broken, and comes back at its next timeout. */
  wake(member: Member): void {
    if (member.isDead) return;
    const nextMs = member.handleTimeout();
    this.onInput(member);
    for (const { port } of member.takeViolations()) {
      const wire = member.wires.get(port);
      if (wire === undefined) continue;
      const back = wire.to.wires.get(wire.toPort);
      this.at(wire.delayMs, () => {
        if (wire.to.wires.get(wire.toPort) === back) this.drop(wire.to, wire.toPort);
      });
      this.drop(member, port);
    }
    if (!Number.isFinite(nextMs) || (this.#wakeMs.get(member) ?? Number.POSITIVE_INFINITY) <= nextMs) return;
    this.#wakeMs.set(member, nextMs);
    this.at(nextMs - this.nowMs, () => {
      if (this.#wakeMs.get(member) === this.nowMs) this.#wakeMs.delete(member);
      this.wake(member);
    });
  }

  run(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (let next = this.#queue.pop(endMs); next !== undefined; next = this.#queue.pop(endMs)) {
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = endMs;
  }

  /** Runs until `isReached`, asked every `stepMs`; gives the time that passed, infinite if it was not reached in `mostMs`. */
  runUntil(isReached: () => boolean, mostMs: number, stepMs = 100): number {
    const startMs = this.nowMs;
    while (!isReached()) {
      if (this.nowMs - startMs >= mostMs) return Number.POSITIVE_INFINITY;
      this.run(stepMs);
    }
    return this.nowMs - startMs;
  }
}

/** A mesh over a graph; a link's delay is 5 to 50 ms. Where members differ, `optionsOf` gives those of each. */
export function meshOf(
  graph: Graph,
  random: Random,
  options: MemberOptions & LinkOptions = {},
  optionsOf: (index: number) => MemberOptions = () => options,
): Mesh {
  const mesh = new Mesh(random);
  for (let i = 0; i < graph.count; i++) mesh.add(optionsOf(i));
  for (const [a, b] of graph.links)
    mesh.link(mesh.members[a]!, mesh.members[b]!, { delayMs: 5 + random(46), ...options });
  return mesh;
}

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** What is to happen, by time, then in the order in which it was pushed: a binary heap. */
class EventQueue {
  readonly #heap: Entry[] = [];
  #order = 0;

  push(atMs: number, run: () => void): void {
    const entry = { atMs, order: this.#order++, run };
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (isBefore(heap[parent]!, entry)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  /** The next entry, if it is not later than `endMs`. */
  pop(endMs: number): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.atMs > endMs) return undefined;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
