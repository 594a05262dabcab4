import type { Crypto } from "../src/crypto/crypto.js";
import { VerdictCache } from "../src/crypto/verdicts.js";
import type { NodeConfig } from "../src/node/config.js";
import type { NodeEvent, RequestEvent } from "../src/node/events.js";
import type { Node, NodeOptions } from "../src/node/node.js";
import { toHex } from "../src/wire/bytes.js";
import { Dialler } from "./dialler.js";
import { EventHash } from "./event-hash.js";
import type { Graph } from "./graphs.js";
import { grindIdentity } from "./grind.js";
import { Host, type HostHooks } from "./host.js";
import { type LinkModel, SimLink, type Station } from "./link.js";
import { NETWORK_ID } from "./network-id.js";
import { quickName } from "./quick-name.js";
import { Random } from "./random.js";
import { Schedule } from "./schedule.js";
import type { Watcher } from "./watcher.js";

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
  /** Nodes whose keys were ground until each is the best of a tree: the first of tree 0, and so on. */
  readonly ground?: readonly number[];
  /** When each node starts, in milliseconds; all at once by default. */
  readonly startMs?: (index: number) => number;
}

const LINK: LinkModel = { delayMs: 10, bytesPerMs: 12_500, bufferBytes: 65_536, loss: [0, 1], stallMs: 250 };
/** What a good clock says when the network starts: 2026. */
const WALL_MS = 1_780_000_000_000;
/** Verdicts on signatures that are kept: 400 bytes each. */
const VERDICTS_MIN = 65_536;
const VERDICTS_PER_NODE = 256;

/** An answer that is awaited. */
export interface Question<E> {
  answer: E | undefined;
}

/**
 * Nodes in virtual time: real ones, over links with delay, rate and finite buffers, that can be cut, reset, stopped and crashed. All
 * that happens follows from the seed: the same seed gives the same `hash`. The nodes share one cache of verdicts, so that each
 * signature is checked once.
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
  /** One for each edge of the graph, in its order. */
  readonly diallers: readonly Dialler[];
  readonly #options: NetworkOptions;
  readonly #model: LinkModel;
  readonly #models: LinkModel[] = [];
  #linkCount = 0;
  readonly #byHost: Dialler[][];
  readonly #byPair = new Map<string, Dialler>();
  readonly #byKey = new Map<string, Host>();
  readonly #watchers = new Set<Watcher>();

  constructor(options: NetworkOptions) {
    const { seed, graph, crypto } = options;
    this.#options = options;
    this.graph = graph;
    this.#model = { ...LINK, ...options.link };
    this.random = new Random(seed);
    const max = Math.max(VERDICTS_MIN, VERDICTS_PER_NODE * graph.nodes);
    this.verdicts = new VerdictCache(crypto, { max, nameOf: quickName });
    const hooks = this.#hooks();
    this.hosts = Array.from({ length: graph.nodes }, (_, index) => this.#makeHost(index, hooks));
    this.#byHost = this.hosts.map(() => []);
    this.diallers = graph.edges.map(([from, to], edge) => this.#makeDialler(from, to, edge));
    for (const host of this.hosts) {
      const startMs = options.startMs?.(host.index) ?? 0;
      if (startMs === 0) this.#start(host);
      else this.schedule.at(startMs, () => this.#start(host));
    }
    for (const dialler of this.diallers) dialler.dial();
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

  hostOf(key: Uint8Array): Host | undefined {
    return this.#byKey.get(toHex(key));
  }

  /** The host behind a port of another, and the link that leads there, where one is up. */
  behind(host: Host, port: number): { readonly host: Host; readonly link: SimLink; readonly side: 0 | 1 } | undefined {
    const link = this.links.get(host.ports.get(port) ?? -1);
    if (link === undefined) return undefined;
    const side = link.ends[0].station === host ? 0 : 1;
    const other = link.ends[1 - side]!.station;
    return other instanceof Host ? { host: other, link, side } : undefined;
  }

  // Time

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    while (this.schedule.step(untilMs));
    this.schedule.nowMs = untilMs;
  }

  /** Runs until `done` or for so long; gives what `done` says then. `done` is asked after every event, or every `stepMs`. */
  runUntil(done: () => boolean, atMostMs: number, stepMs = 0): boolean {
    const untilMs = this.nowMs + atMostMs;
    while (!done()) {
      if (stepMs === 0 ? !this.schedule.step(untilMs) : this.nowMs >= untilMs) break;
      if (stepMs > 0) this.run(Math.min(stepMs, untilMs - this.nowMs));
    }
    return done();
  }

  // Faults

  /** The network between two nodes is cut: links stay open and nothing passes. `back` false cuts only what `a` sends. */
  cut(a: number, b: number, back = true): void {
    this.#bar(a, b, true);
    for (const { link, side } of this.linksBetween(a, b)) {
      link.cut(side);
      if (back) link.cut(side === 0 ? 1 : 0);
    }
  }

  heal(a: number, b: number): void {
    this.#bar(a, b, false);
    for (const { link } of this.linksBetween(a, b)) link.heal();
  }

  /** The connection breaks, and both ends find out. */
  reset(a: number, b: number): void {
    for (const { link } of this.linksBetween(a, b)) link.reset();
  }

  /** `a` finds the connection gone and `b` does not: for `b` the link is open until it finds it dead. */
  halfOpen(a: number, b: number): void {
    for (const { link, side } of [...this.linksBetween(a, b)]) link.halfOpen(side);
  }

  /** Connections break no more by themselves. */
  calm(): void {
    for (const model of this.#models) model.reset = [0, 1];
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
    // A link that was dialled while the node was stopped is not among its ends.
    const numbers = [...host.ends.keys(), ...this.#byHost[index]!.map(({ link }) => link?.number ?? 0)];
    for (const number of new Set(numbers)) {
      const link = this.links.get(number);
      link?.ends.find(({ station }) => station === host)?.close(undefined);
      if (machineToo) link?.lose();
    }
    host.crash();
    for (const watcher of this.#watchers) watcher.handleCrash?.(host);
    for (const dialler of this.#byHost[index]!) if (dialler.from === host) dialler.dialLater();
  }

  /** Starts a crashed node; without its disk it has lost its epochs and locators. */
  restart(index: number, options: { withDisk?: boolean; wallMs?: number } = {}): void {
    const host = this.hosts[index]!;
    if (options.withDisk === false) host.disk = { epoch: 0, locators: new Map() };
    this.#start(host, options.wallMs);
  }

  // Service

  /** Shows everything to `watcher` from now on; the function it gives ends that. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Calls `listener` with every event of every node; the function it gives ends that. */
  onEvent(listener: (host: Host, event: NodeEvent) => void): () => void {
    return this.watch({ handleEvent: listener });
  }

  /** Asks a node something; the answer is there when it is there. */
  ask<T extends RequestEvent["type"]>(
    type: T,
    from: number,
    key: Uint8Array,
    answered: (answer: Extract<RequestEvent, { type: T }>) => void = () => {},
  ): Question<Extract<RequestEvent, { type: T }>> {
    const question: Question<Extract<RequestEvent, { type: T }>> = { answer: undefined };
    const host = this.hosts[from]!;
    host.act((node, nowMs) => {
      const number = node[type](key, nowMs);
      if (number === 0) return;
      host.asking.set(number, (answer) => {
        question.answer = answer as Extract<RequestEvent, { type: T }>;
        answered(question.answer);
      });
    });
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
    return this.isLinkedAmong(() => true);
  }

  /** The same for the links between hosts that count. */
  isLinkedAmong(counts: (host: Host) => boolean): boolean {
    return this.graph.edges.every(([a, b]) => {
      const isAmong = counts(this.hosts[a]!) && counts(this.hosts[b]!);
      return !isAmong || (this.areLinked(a, b) && this.areLinked(b, a));
    });
  }

  /** True where `a` has a link to `b` whose hello is complete. */
  areLinked(a: number, b: number): boolean {
    return this.hosts[a]!.neighbours.has(toHex(this.key(b)));
  }

  /** A link from `station` to the node, or where `dialled` is true from the node to it: for tests that speak for themselves. */
  attach(station: Station, index: number, options: { dialled?: boolean; expectedKey?: Uint8Array } = {}): SimLink {
    const host = this.hosts[index]!;
    const stations = options.dialled === true ? ([host, station] as const) : ([station, host] as const);
    const link = this.#makeLink(stations, this.#model);
    const end = link.ends[options.dialled === true ? 0 : 1];
    host.open(end, options.expectedKey === undefined ? undefined : [options.expectedKey]);
    return link;
  }

  /** The links between two nodes, and which side of each `a` is. */
  *linksBetween(a: number, b: number): Iterable<{ link: SimLink; side: 0 | 1 }> {
    const pair = [this.hosts[a], this.hosts[b]];
    const numbers = new Set(pair.flatMap((host) => [...host!.ends.keys()]));
    for (const number of numbers) {
      const link = this.links.get(number);
      if (link === undefined || !link.ends.every(({ station }) => pair.includes(station as Host))) continue;
      yield { link, side: link.ends[0].station === pair[0] ? 0 : 1 };
    }
  }

  #start(host: Host, wallMs = (this.#options.wallMs ?? WALL_MS) + this.nowMs): void {
    host.start(wallMs);
    for (const watcher of this.#watchers) watcher.handleStart?.(host);
  }

  #bar(a: number, b: number, isBarred: boolean): void {
    const dialler = this.#byPair.get(pairName(a, b));
    if (dialler !== undefined) dialler.isBarred = isBarred;
  }

  #hooks(): HostHooks {
    return {
      handleTransmit: (host, end, message) => {
        for (const watcher of this.#watchers) watcher.handleTransmit?.(host, end, message);
      },
      handleDelivery: (host, end, message) => {
        this.hash.add(this.nowMs, host.index, message);
        for (const watcher of this.#watchers) watcher.handleDelivery?.(host, end, message);
      },
      handleEvent: (host, event) => {
        for (const watcher of this.#watchers) watcher.handleEvent?.(host, event);
      },
      handleSettled: (host) => {
        for (const watcher of this.#watchers) watcher.handleSettled?.(host);
      },
    };
  }

  #makeHost(index: number, hooks: HostHooks): Host {
    const { crypto, node, config } = this.#options;
    const random = this.random.fork();
    const tree = this.#options.ground?.indexOf(index) ?? -1;
    const identity =
      tree < 0 ? crypto.identityFromSeed(random.bytes(32)) : grindIdentity(crypto, tree, this.graph.nodes, random);
    const shared = { crypto, verdicts: this.verdicts, identity, random: random.bytes, network: NETWORK_ID };
    const options = { ...shared, ...(config === undefined ? {} : { config }), ...node?.(index) };
    const host = new Host(index, options, this.schedule, hooks);
    this.#byKey.set(toHex(host.key), host);
    return host;
  }

  #makeDialler(from: number, to: number, edge: number): Dialler {
    const [dialler, listener] = [this.hosts[from]!, this.hosts[to]!];
    const delayMs = this.graph.delaysMs?.[edge];
    const bytesPerMs = this.graph.bytesPerMs?.[edge];
    const model = {
      ...this.#model,
      ...(delayMs === undefined ? {} : { delayMs }),
      ...(bytesPerMs === undefined ? {} : { bytesPerMs }),
    };
    this.#models.push(model);
    const made = new Dialler(dialler, listener, this.schedule, this.random.fork(), () => {
      const link = this.#makeLink([dialler, listener], model, () => made.dialLater());
      dialler.open(link.ends[0], [listener.key]);
      listener.open(link.ends[1], undefined);
      return link;
    });
    this.#byHost[from]!.push(made);
    this.#byHost[to]!.push(made);
    this.#byPair.set(pairName(from, to), made);
    return made;
  }

  /** `onEnd` is called when the dialler's end is closed. */
  #makeLink(stations: readonly [Station, Station], model: LinkModel, onEnd: () => void = () => {}): SimLink {
    const link = new SimLink(++this.#linkCount, stations, this.schedule, this.random.fork(), model, () => {
      if (link.isClosed) this.links.delete(link.number);
      if (link.ends[0].isClosed) onEnd();
    });
    this.links.set(link.number, link);
    return link;
  }
}

function pairName(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`;
}
