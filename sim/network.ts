import type { Crypto } from "../src/crypto/crypto.js";
import { VerdictCache } from "../src/crypto/verdicts.js";
import type { NodeConfig } from "../src/node/config.js";
import type { NodeEvent, RequestEvent } from "../src/node/events.js";
import type { Node, NodeOptions } from "../src/node/node.js";
import { toHex } from "../src/wire/bytes.js";
import { EventHash } from "./event-hash.js";
import type { Graph } from "./graphs.js";
import { Host } from "./host.js";
import { type LinkModel, SimLink, type Station } from "./link.js";
import { Random } from "./random.js";
import { Schedule } from "./schedule.js";

export interface NetworkOptions {
  readonly seed: number;
  readonly graph: Graph;
  /** Real cryptography: the portable set, or the native one. */
  readonly crypto: Crypto;
  readonly link?: Partial<LinkModel>;
  /** What differs for a node from an open network with the defaults. */
  readonly node?: (index: number) => Partial<NodeOptions>;
  readonly config?: Partial<NodeConfig>;
  /** What each node's clock says at the start; a real one by default. */
  readonly wallMs?: number;
}

const LINK: LinkModel = { delayMs: 10, bytesPerMs: 12_500, bufferBytes: 65_536, loss: [0, 1], stallMs: 250 };
/** What a good clock says when the network starts: 2026. */
const WALL_MS = 1_780_000_000_000;
/** Between the end of a link, or a vain attempt, and the next attempt. */
const REDIAL_MS = 1_000;

/** An answer that is awaited. */
export interface Question<E> {
  answer: E | undefined;
}

/**
 * Nodes in virtual time: real ones, over links with delay, rate and finite buffers, that can be cut, reset, stopped and crashed. All
 * that happens follows from the seed: the same seed gives the same `hash`.
 */
export class Network {
  readonly graph: Graph;
  readonly schedule = new Schedule();
  readonly random: Random;
  readonly hosts: readonly Host[];
  readonly verdicts: VerdictCache;
  /** Everything that was delivered, to whom and when. */
  readonly hash = new EventHash();
  readonly links = new Map<number, SimLink>();
  readonly #options: NetworkOptions;
  readonly #model: LinkModel;
  #linkCount = 0;
  /** Links of the graph that may not be dialled now. */
  readonly #severed = new Set<string>();
  readonly #listeners = new Set<(host: Host, event: NodeEvent) => void>();

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.graph = options.graph;
    this.#model = { ...LINK, ...options.link };
    this.random = new Random(options.seed);
    this.verdicts = new VerdictCache(options.crypto, { max: 65_536 });
    this.hosts = Array.from({ length: options.graph.nodes }, (_, index) => this.#makeHost(index));
    for (const host of this.hosts) host.start(options.wallMs ?? WALL_MS);
    for (const [from, to] of options.graph.edges) this.#dial(from, to);
  }

  get nowMs(): number {
    return this.schedule.nowMs;
  }

  node(index: number): Node {
    return this.hosts[index]!.node!;
  }

  key(index: number): Uint8Array {
    return this.hosts[index]!.key;
  }

  // Time

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    while (this.schedule.step(untilMs));
    this.schedule.nowMs = untilMs;
  }

  /** Runs until `done` or for so long; gives what `done` says then. */
  runUntil(done: () => boolean, atMostMs: number): boolean {
    const untilMs = this.nowMs + atMostMs;
    while (!done()) if (!this.schedule.step(untilMs)) break;
    return done();
  }

  // Faults

  /** The network between two nodes is cut: links stay open and nothing passes. `back` false cuts only what `a` sends. */
  cut(a: number, b: number, back = true): void {
    this.#severed.add(pairName(a, b));
    for (const { link, side } of this.#linksBetween(a, b)) {
      link.cut(side);
      if (back) link.cut(side === 0 ? 1 : 0);
    }
  }

  heal(a: number, b: number): void {
    this.#severed.delete(pairName(a, b));
    for (const { link } of this.#linksBetween(a, b)) link.heal();
  }

  /** The connection breaks, and both ends find out. */
  reset(a: number, b: number): void {
    for (const { link } of this.#linksBetween(a, b)) link.reset();
  }

  stop(index: number): void {
    this.hosts[index]!.stop();
  }

  resume(index: number): void {
    const host = this.hosts[index]!;
    host.resume();
    this.resumeReading(host);
  }

  /** A station reads again what came in while it did not. */
  resumeReading(station: Station): void {
    for (const link of this.links.values()) link.flushTo(station);
  }

  /** The process ends without a word. Its machine tells the neighbours, unless it is gone too. */
  crash(index: number, machineToo = false): void {
    const host = this.hosts[index]!;
    for (const link of this.links.values()) {
      const end = link.ends.find(({ station }) => station === host);
      if (end === undefined) continue;
      end.close(undefined);
      if (machineToo) link.lose();
    }
    host.crash();
  }

  /** Starts a crashed node; without its disk it has lost its epochs and locators. */
  restart(index: number, options: { withDisk?: boolean; wallMs?: number } = {}): void {
    const host = this.hosts[index]!;
    if (options.withDisk === false) host.disk = { epoch: 0, locators: new Map() };
    host.start(options.wallMs ?? WALL_MS + this.nowMs);
  }

  // Service

  /** Calls `listener` with every event of every node; the function it gives ends that. */
  onEvent(listener: (host: Host, event: NodeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks a node something; the answer is there when it is there. */
  ask<T extends RequestEvent["type"]>(
    type: T,
    from: number,
    key: Uint8Array,
  ): Question<Extract<RequestEvent, { type: T }>> {
    const question: Question<Extract<RequestEvent, { type: T }>> = { answer: undefined };
    const host = this.hosts[from]!;
    let number = 0;
    const end = this.onEvent((at, event) => {
      if (at !== host || event.type !== type || event.request !== number) return;
      question.answer = event as Extract<RequestEvent, { type: T }>;
      end();
    });
    host.act((node, nowMs) => (number = node[type](key, nowMs)));
    return question;
  }

  /** Asks and waits for at most so long. */
  askNow<T extends RequestEvent["type"]>(
    type: T,
    from: number,
    key: Uint8Array,
    withinMs: number,
  ): Extract<RequestEvent, { type: T }> | undefined {
    const question = this.ask(type, from, key);
    this.runUntil(() => question.answer !== undefined, withinMs);
    return question.answer;
  }

  /** True where `a` pings `b` in time. */
  pings(a: number, b: number, withinMs = 3_000): boolean {
    return this.askNow("ping", a, this.key(b), withinMs)?.ok === true;
  }

  /** True where every link of the graph is up at both ends. */
  isLinked(): boolean {
    return this.graph.edges.every(([a, b]) => this.#areLinked(a, b) && this.#areLinked(b, a));
  }

  /** A link from `station` to the node, or where `dialled` is true from the node to it: for tests that speak for themselves. */
  attach(station: Station, index: number, options: { dialled?: boolean; expectedKey?: Uint8Array } = {}): SimLink {
    const host = this.hosts[index]!;
    const stations = options.dialled === true ? ([host, station] as const) : ([station, host] as const);
    const link = new SimLink(++this.#linkCount, stations, this.schedule, this.random.fork(), this.#model);
    this.links.set(link.number, link);
    const end = link.ends[options.dialled === true ? 0 : 1];
    host.open(end, options.expectedKey === undefined ? undefined : [options.expectedKey]);
    return link;
  }

  #makeHost(index: number): Host {
    const { crypto, node, config } = this.#options;
    const random = this.random.fork();
    const identity = crypto.identityFromSeed(random.bytes(32));
    const shared = { crypto, verdicts: this.verdicts, identity, random: random.bytes, network: "sim" };
    const options = { ...shared, ...(config === undefined ? {} : { config }), ...node?.(index) };
    const host = new Host(index, options, this.schedule, (to, message) => {
      this.hash.add(this.nowMs, to.index, message);
    });
    host.onEvent = (event) => {
      for (const listener of this.#listeners) listener(host, event);
    };
    return host;
  }

  /** Keeps a link from one node to another, for ever: dials, and dials again where there is none. */
  #dial(from: number, to: number, current?: SimLink): void {
    const [dialler, listener] = [this.hosts[from]!, this.hosts[to]!];
    const canDial = dialler.isReading && listener.node !== undefined && !this.#severed.has(pairName(from, to));
    const isTrying = current !== undefined && !current.ends[0].isClosed;
    let link = current;
    if (canDial && !isTrying && !this.#areLinked(from, to)) {
      link = new SimLink(++this.#linkCount, [dialler, listener], this.schedule, this.random.fork(), this.#model);
      this.links.set(link.number, link);
      dialler.open(link.ends[0], [listener.key]);
      listener.open(link.ends[1], undefined);
    }
    for (const { number, isClosed } of this.links.values()) if (isClosed) this.links.delete(number);
    this.schedule.after(REDIAL_MS + this.random.below(REDIAL_MS / 4), () => this.#dial(from, to, link));
  }

  #areLinked(a: number, b: number): boolean {
    return this.hosts[a]!.neighbours.has(toHex(this.key(b)));
  }

  /** The links between two nodes, and which side of each `a` is. */
  *#linksBetween(a: number, b: number): Iterable<{ link: SimLink; side: 0 | 1 }> {
    const pair = [this.hosts[a], this.hosts[b]];
    for (const link of this.links.values()) {
      const stations = link.ends.map(({ station }) => station);
      if (stations.every((station) => pair.includes(station as Host))) {
        yield { link, side: stations[0] === pair[0] ? 0 : 1 };
      }
    }
  }
}

function pairName(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`;
}
