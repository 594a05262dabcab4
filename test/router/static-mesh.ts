import type { Identity } from "../../src/crypto/crypto.js";
import { SignTag, signedMessage } from "../../src/crypto/sign.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";
import { Forwarder } from "../../src/router/forward.js";
import { PATH_DEFAULTS, type PathConfig } from "../../src/router/path-config.js";
import { type PathEvent, Paths } from "../../src/router/paths.js";
import type { Announced, Peer, RoutingView, TreeView } from "../../src/router/peer.js";
import { Queues } from "../../src/router/queues.js";
import { toHex } from "../../src/wire/bytes.js";
import { type CloseCode, DROP_REASON_COUNT, type DropReason } from "../../src/wire/codes.js";
import { dataHeaderBytes, writeDataHeader } from "../../src/wire/data.js";
import { Kind, kindOf } from "../../src/wire/kinds.js";
import { encodeLocator, type Position } from "../../src/wire/locator.js";

export const crypto = nativeCrypto();
export const networkId = new TextEncoder().encode("test");

/** Links as pairs of node numbers. */
export interface Graph {
  readonly count: number;
  readonly links: readonly (readonly [number, number])[];
}

export const line = (count: number): Graph => ({
  count,
  links: Array.from({ length: count - 1 }, (_, i) => [i, i + 1] as const),
});

export const ring = (count: number): Graph => ({ count, links: [...line(count).links, [count - 1, 0]] });

export function grid(width: number, height: number): Graph {
  const links: [number, number][] = [];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      if (x > 0) links.push([y * width + x - 1, y * width + x]);
      if (y > 0) links.push([(y - 1) * width + x, y * width + x]);
    }
  return { count: width * height, links };
}

export function randomGraph(count: number, extra: number, random: Random): Graph {
  const links: [number, number][] = [];
  for (let i = 1; i < count; i++) links.push([i, random(i)]);
  for (let i = 0; i < extra; ) {
    const [a, b] = [random(count), random(count)];
    if (a === b || links.some(([x, y]) => (x === a && y === b) || (x === b && y === a))) continue;
    links.push([a, b]);
    i++;
  }
  return { count, links };
}

/** A whole number from 0 to `below` − 1. */
export type Random = (below: number) => number;

/** xorshift32. */
export function seeded(seed: number): Random {
  let state = seed * 2_654_435_761 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A tree of a node, set by the test. */
export class StaticTree implements TreeView {
  position: Position | undefined;
  parentPort = 0;
  readonly below = new Map<string, number>();

  childPort(key: Uint8Array): number {
    return this.below.get(toHex(key)) ?? 0;
  }
}

export interface Delivery {
  readonly frame: Uint8Array;
  readonly ingress: number;
}

/** Forwarding, queues and paths of one node, over tables that the test writes. */
export class StaticNode implements RoutingView {
  readonly trees = [new StaticTree(), new StaticTree(), new StaticTree()];
  readonly drops = new Array<number>(DROP_REASON_COUNT + 1).fill(0);
  readonly queues: Queues;
  readonly forwarder: Forwarder;
  readonly paths: Paths;
  readonly delivered: Delivery[] = [];
  readonly events: PathEvent[] = [];
  readonly refusals: (CloseCode | undefined)[] = [];
  /** Frames that came in, by kind. */
  readonly received = new Map<number, number>();
  readonly #peers = new Map<number, Peer>();
  locatorEpoch = 1;

  constructor(
    readonly identity: Identity,
    config: PathConfig,
    random: Random,
  ) {
    this.queues = new Queues(config, this.drops);
    this.forwarder = new Forwarder(this, this.queues, this.drops, config);
    const { queues, drops } = this;
    const randomBytes = (sizeBytes: number) => Uint8Array.from({ length: sizeBytes }, () => random(256));
    this.paths = new Paths(this, { crypto, identity, networkId, random: randomBytes, queues, drops, config }, 0);
  }

  get key(): Uint8Array {
    return this.identity.publicKey;
  }

  peer(port: number): Peer | undefined {
    return this.#peers.get(port);
  }

  peerByKey(key: Uint8Array): Peer | undefined {
    for (const peer of this.#peers.values()) if (toHex(peer.key) === toHex(key)) return peer;
    return undefined;
  }

  peers(): Iterable<Peer> {
    return this.#peers.values();
  }

  locator(): { bytes: Uint8Array; signature: Uint8Array } {
    const bytes = encodeLocator(
      this.locatorEpoch,
      this.trees.map((tree) => tree.position),
    );
    return { bytes, signature: crypto.sign(signedMessage(SignTag.LOCATOR, networkId, bytes), this.identity) };
  }

  addPeer(port: number, key: Uint8Array, theirPort: number, isLeaf = false, rttMs = 2): void {
    const half = new Uint8Array(64);
    const rest = { linkEpoch: 1, theirHalf: half, ourHalf: half, rttMs, announced: [] };
    this.#peers.set(port, { port, key, leaf: isLeaf, theirPort, ...rest });
    this.queues.handleLinkUp(port);
  }

  removePeer(port: number, nowMs: number): void {
    this.#peers.delete(port);
    this.queues.handleLinkDown(port);
    this.forwarder.handleLinkDown(port);
    this.paths.handleLinkDown(port, nowMs);
  }

  dropsOf(reason: DropReason): number {
    return this.drops[-reason]!;
  }
}

interface Wire {
  readonly to: number;
  readonly toPort: number;
  readonly delayMs: number;
}

interface Arrival extends Wire {
  readonly atMs: number;
  readonly fromPort: number;
  readonly from: number;
  readonly frame: Uint8Array;
}

/** Nodes over a graph with true breadth-first trees, one root each, in virtual time. */
export class StaticMesh {
  nowMs = 0;
  readonly nodes: StaticNode[] = [];
  /** Per node, port to what is behind it. */
  readonly wires: Map<number, Wire>[] = [];
  /** Looks at, changes or swallows (undefined) each frame on a link. */
  onFrame: (frame: Uint8Array, from: number, to: number) => Uint8Array | undefined = (frame) => frame;
  readonly #arrivals: Arrival[] = [];

  constructor(
    readonly graph: Graph,
    options: {
      readonly roots?: readonly number[];
      readonly config?: Partial<PathConfig>;
      readonly seed?: number;
      readonly leaves?: readonly number[];
    } = {},
  ) {
    const random = seeded(options.seed ?? 1);
    const config = { ...PATH_DEFAULTS, ...options.config };
    for (let i = 0; i < graph.count; i++) {
      const seed = new Uint8Array(32);
      new DataView(seed.buffer).setUint32(0, i + 1);
      this.nodes.push(new StaticNode(crypto.identityFromSeed(seed), config, random));
      this.wires.push(new Map());
    }
    for (const [a, b] of graph.links) this.#link(a, b, 1 + random(10), options.leaves ?? []);
    const roots = options.roots ?? [0, 1, 2].map(() => random(graph.count));
    for (let tree = 0; tree < roots.length; tree++) this.plant(tree, roots[tree]!);
  }

  key(node: number): Uint8Array {
    return this.nodes[node]!.key;
  }

  portTo(from: number, to: number): number {
    for (const [port, wire] of this.wires[from]!) if (wire.to === to) return port;
    return 0;
  }

  /** The ports along a list of nodes. */
  route(...nodes: number[]): number[] {
    return nodes.slice(1).map((to, i) => this.portTo(nodes[i]!, to));
  }

  /** Where a list of ports leads from `from`. */
  end(from: number, ports: ArrayLike<number>): number {
    let at = from;
    for (let i = 0; i < ports.length; i++) at = this.wires[at]!.get(ports[i]!)!.to;
    return at;
  }

  /** Grows a tree anew from `root`, breadth first. */
  plant(tree: number, root: number): void {
    const rootKey = this.key(root);
    const rootId = rootKey.slice(0, 8);
    for (const node of this.nodes) {
      node.trees[tree]!.position = undefined;
      node.trees[tree]!.parentPort = 0;
      node.trees[tree]!.below.clear();
    }
    const parents = new Map<number, number>();
    this.nodes[root]!.trees[tree]!.position = { rootId, coordinates: [] };
    const order = [root];
    for (const at of order) {
      const { coordinates } = this.nodes[at]!.trees[tree]!.position!;
      for (const [port, wire] of this.wires[at]!) {
        const child = this.nodes[wire.to]!.trees[tree]!;
        if (child.position !== undefined) continue;
        child.position = { rootId, coordinates: [...coordinates, port] };
        child.parentPort = wire.toPort;
        parents.set(wire.to, at);
        order.push(wire.to);
      }
    }
    for (const node of order) this.#register(tree, node, parents);
    this.#announce(tree, rootKey);
  }

  /** The link is gone; trees and tables stay as they were. */
  cut(a: number, b: number): void {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const port = this.portTo(from, to);
      this.wires[from]!.delete(port);
      this.nodes[from]!.removePeer(port, this.nowMs);
    }
  }

  /** Hands a DATA frame to `from` as its own. */
  send(from: number, to: number, route: ArrayLike<number>, options: { routeId?: Uint8Array; payload?: number } = {}) {
    const frame = dataFrame(this.key(to), route, options);
    return this.nodes[from]!.forwarder.forward(frame, 0, this.nowMs);
  }

  /** Lets time pass: frames arrive, timers fire. */
  run(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (const node of this.nodes.keys()) this.pump(node);
    for (;;) {
      const arrivalMs = this.#arrivals[0]?.atMs ?? Number.POSITIVE_INFINITY;
      const timerMs = Math.min(...this.nodes.map((node) => node.paths.pollTimeout()));
      const nextMs = Math.min(arrivalMs, timerMs);
      if (nextMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (arrivalMs <= timerMs) this.#arrive(this.#arrivals.shift()!);
      else for (const node of this.nodes.keys()) this.#fire(node);
    }
    this.nowMs = endMs;
  }

  /** Lets frames arrive until none is under way; no timer fires. */
  settle(): void {
    for (const node of this.nodes.keys()) this.pump(node);
    for (let arrival = this.#arrivals.shift(); arrival !== undefined; arrival = this.#arrivals.shift()) {
      this.nowMs = Math.max(this.nowMs, arrival.atMs);
      this.#arrive(arrival);
    }
  }

  /** Puts what waits at a node onto its links. */
  pump(index: number): void {
    const node = this.nodes[index]!;
    for (let event = node.paths.pollEvent(); event !== undefined; event = node.paths.pollEvent())
      node.events.push(event);
    for (let port = node.queues.pollReady(); port !== 0; port = node.queues.pollReady())
      for (let frame = node.queues.pop(port); frame !== undefined; frame = node.queues.pop(port))
        this.#transmit(index, port, frame);
  }

  /** A frame arrives at a node, as if from the link of `ingress`. */
  receive(index: number, frame: Uint8Array, ingress: number): void {
    const node = this.nodes[index]!;
    const kind = kindOf(frame);
    node.received.set(kind, (node.received.get(kind) ?? 0) + 1);
    if (kind === Kind.DATA) {
      if (node.forwarder.forward(frame, ingress, this.nowMs) === 0) node.delivered.push({ frame, ingress });
    } else if (kind === Kind.PROBE) node.refusals.push(node.paths.handleProbe(frame, ingress, this.nowMs));
    else if (kind === Kind.PROBE_REPLY) node.refusals.push(node.paths.handleProbeReply(frame, ingress, this.nowMs));
    else if (kind === Kind.BALL_REQUEST || kind === Kind.BALL)
      node.refusals.push(node.paths.handleBallFrame(frame, kind, ingress, this.nowMs));
    else node.refusals.push(node.paths.handleRouteBroken(frame, ingress, this.nowMs));
    this.pump(index);
  }

  drops(reason: DropReason): number {
    return this.nodes.reduce((sum, node) => sum + node.dropsOf(reason), 0);
  }

  #link(a: number, b: number, delayMs: number, leaves: readonly number[]): void {
    const [portA, portB] = [this.wires[a]!.size + 1, this.wires[b]!.size + 1];
    this.wires[a]!.set(portA, { to: b, toPort: portB, delayMs });
    this.wires[b]!.set(portB, { to: a, toPort: portA, delayMs });
    this.nodes[a]!.addPeer(portA, this.key(b), portB, leaves.includes(b), 2 * delayMs);
    this.nodes[b]!.addPeer(portB, this.key(a), portA, leaves.includes(a), 2 * delayMs);
  }

  #register(tree: number, node: number, parents: ReadonlyMap<number, number>): void {
    let below = node;
    for (let at = parents.get(node); at !== undefined; at = parents.get(at)) {
      this.nodes[at]!.trees[tree]!.below.set(toHex(this.key(node)), this.portTo(at, below));
      below = at;
    }
  }

  #announce(tree: number, rootKey: Uint8Array): void {
    for (const [index, wires] of this.wires.entries())
      for (const [port, wire] of wires) {
        const position = this.nodes[wire.to]!.trees[tree]!.position;
        const rest = {
          rootKey,
          rank: rootKey,
          seq: 1,
          signature: new Uint8Array(64),
          path: 0,
          delayMs: 0,
          throughMe: false,
        };
        const announced: Announced | undefined = position && { ...position, ...rest };
        this.nodes[index]!.peer(port)!.announced[tree] = announced;
      }
  }

  #fire(index: number): void {
    this.nodes[index]!.paths.handleTimeout(this.nowMs);
    this.pump(index);
  }

  #transmit(from: number, port: number, sent: Uint8Array): void {
    const wire = this.wires[from]!.get(port);
    if (wire === undefined) return;
    const frame = this.onFrame(sent, from, wire.to);
    if (frame === undefined) return;
    const atMs = this.nowMs + wire.delayMs;
    let at = this.#arrivals.length;
    while (at > 0 && this.#arrivals[at - 1]!.atMs > atMs) at--;
    this.#arrivals.splice(at, 0, { ...wire, from, fromPort: port, frame, atMs });
  }

  #arrive(arrival: Arrival): void {
    if (this.wires[arrival.from]!.get(arrival.fromPort)?.to !== arrival.to) return;
    this.receive(arrival.to, arrival.frame, arrival.toPort);
  }
}

const ROUTE_ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

/** A DATA frame whose payload is `payload` bytes of 7. */
export function dataFrame(
  key: Uint8Array,
  route: ArrayLike<number>,
  options: { routeId?: Uint8Array; payload?: number } = {},
): Uint8Array {
  const frame = new Uint8Array(dataHeaderBytes(route.length) + (options.payload ?? 100)).fill(7);
  writeDataHeader(frame, route, options.routeId ?? ROUTE_ID, key);
  return frame;
}
