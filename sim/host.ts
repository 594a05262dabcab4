import type { NodeEvent, RequestEvent } from "../src/node/events.js";
import { Node, type NodeOptions } from "../src/node/node.js";
import type { StoredLocator } from "../src/router/locators.js";
import { toHex } from "../src/wire/bytes.js";
import { Kind } from "../src/wire/kinds.js";
import type { LinkEnd, Station } from "./link.js";
import type { Schedule } from "./schedule.js";
import { type SentBytes, webSocketBytes } from "./sent-bytes.js";

/** What a node keeps on disk. */
interface Disk {
  epoch: number;
  readonly locators: Map<string, StoredLocator>;
}

/** What a host tells the network that it is part of. */
export interface HostHooks {
  handleTransmit(host: Host, end: LinkEnd, message: Uint8Array): void;
  handleDelivery(host: Host, end: LinkEnd, message: Uint8Array): void;
  handleEvent(host: Host, event: NodeEvent): void;
  /** The node had an input, and said and sent all that followed from it. */
  handleSettled(host: Host): void;
}

/** Inputs at one time before a host counts as spinning: a fault in the node. */
const TURNS_MAX = 100_000;

/** A machine that runs one node: what a driver does, in virtual time. */
export class Host implements Station {
  /** Undefined while the machine is down. */
  node: Node | undefined;
  readonly ends = new Map<number, LinkEnd>();
  /** The link to each neighbour, by its key in hex, and by its port. */
  readonly neighbours = new Map<string, number>();
  readonly ports = new Map<number, number>();
  disk: Disk = { epoch: 0, locators: new Map() };
  /** How far the machine's clock is wrong; a node reads it when it starts. */
  clockErrorMs = 0;
  /** When the node started last, and when it was last there while it is not. */
  sinceMs = 0;
  /** What an adversary does with a frame that leaves: sends another in its place, or nothing. Undefined for a node that is none. */
  tamper: ((message: Uint8Array, end: LinkEnd) => Uint8Array | undefined) | undefined;
  /** What an adversary did, in words, and how often. */
  readonly deeds = new Map<string, number>();
  readonly sent: SentBytes = { control: 0, data: 0 };
  /** Who waits for the answer to a question of this node, by its number. */
  readonly asking = new Map<number, (answer: RequestEvent) => void>();
  /** Called where a link of this host ended, with the code by which the other end closed it. */
  onClosed: (number: number, code: number | undefined) => void = () => {};

  #isStopped = false;
  /** What happened to the machine while its node was stopped. */
  readonly #missed: (() => void)[] = [];
  #timerMs = Number.POSITIVE_INFINITY;
  /** How often the node was given something to do; what comes within a tenth of a second counts once. */
  wakes = 0;
  #wakeMs = Number.NEGATIVE_INFINITY;
  #sessionsUsed = false;
  #turns = 0;
  #turnsMs = 0;

  constructor(
    readonly index: number,
    readonly options: Omit<NodeOptions, "storedEpoch" | "wallMs" | "storedLocators">,
    private readonly schedule: Schedule,
    private readonly hooks: HostHooks,
  ) {}

  get key(): Uint8Array {
    return this.options.identity.publicKey;
  }

  get isReading(): boolean {
    return this.node !== undefined && !this.#isStopped;
  }

  /** Starts the node, with what the disk holds and a clock that says `wallMs`. */
  start(wallMs: number): void {
    const { epoch, locators } = this.disk;
    const stored = { storedEpoch: epoch, storedLocators: [...locators.values()], wallMs: wallMs + this.clockErrorMs };
    this.sinceMs = this.schedule.nowMs;
    this.node = new Node({ ...this.options, ...stored }, this.schedule.nowMs);
    this.#settle();
  }

  /** The process is gone, and the links with it. The caller ends those. */
  crash(): void {
    this.node = undefined;
    this.sinceMs = this.schedule.nowMs;
    this.#isStopped = false;
    this.#missed.length = 0;
    this.#timerMs = Number.POSITIVE_INFINITY;
    this.ends.clear();
    this.neighbours.clear();
    this.ports.clear();
    this.asking.clear();
  }

  /** Nothing is read and no timer fires until `resume`, as after SIGSTOP. */
  stop(): void {
    this.#isStopped = true;
  }

  /** What came in is read before any timer fires, as the driver does after a stall. */
  resume(): void {
    this.#isStopped = false;
    for (const action of this.#missed.splice(0)) action();
  }

  open(end: LinkEnd, expectedKeys: readonly Uint8Array[] | undefined): void {
    if (this.node === undefined) end.close(undefined);
    else
      this.#act((node, nowMs) => {
        this.ends.set(end.number, end);
        node.handleLinkOpen(end.number, { dialled: end.dialled, expectedKeys }, nowMs);
      });
  }

  /** Lets the node do something, and what follows from it. Undefined where it is down. */
  act<T>(action: (node: Node, nowMs: number) => T): T | undefined {
    if (this.node === undefined) return undefined;
    const result = action(this.node, this.schedule.nowMs);
    this.#settle();
    return result;
  }

  handleMessage(end: LinkEnd, message: Uint8Array): void {
    this.hooks.handleDelivery(this, end, message);
    if (this.node === undefined) return;
    this.node.handleMessage(end.number, message, this.schedule.nowMs);
    this.#settle();
  }

  handleClosed(end: LinkEnd, code: number | undefined): void {
    if (!this.ends.delete(end.number)) return;
    this.act((node, nowMs) => node.handleLinkClosed(end.number, nowMs));
    this.onClosed(end.number, code);
  }

  handleWritable(end: LinkEnd): void {
    if (!this.isReading) this.#missed.push(() => this.handleWritable(end));
    else this.act(() => this.#pump(end));
  }

  #act(action: (node: Node, nowMs: number) => void): void {
    if (this.#isStopped) this.#missed.push(() => this.act(action));
    else this.act(action);
  }

  /** An adversary did something. */
  note(deed: string, times = 1): void {
    this.deeds.set(deed, (this.deeds.get(deed) ?? 0) + times);
  }

  /** Somebody called methods of this node's sessions while handling one of its events. */
  used(): void {
    this.#sessionsUsed = true;
  }

  /** After any input: events, then what is to be sent, until there is neither; then one timer. */
  #settle(): void {
    const node = this.node!;
    this.#countTurn();
    for (;;) {
      for (let event = node.pollEvent(); event !== undefined; event = node.pollEvent()) this.#handleEvent(event);
      if (this.node !== node) return;
      if (this.#sessionsUsed) {
        this.#sessionsUsed = false;
        node.handleSessionUse(this.schedule.nowMs);
        continue;
      }
      const number = node.pollReady();
      if (number < 0) break;
      const end = this.ends.get(number);
      if (end !== undefined) this.#pump(end);
    }
    this.#arm(node.pollTimeout());
    this.hooks.handleSettled(this);
  }

  #pump(end: LinkEnd): void {
    while (!end.isClosed && end.isWritable) {
      const message = this.node!.pollTransmit(end.number, this.schedule.nowMs);
      if (message === undefined) return;
      this.transmit(end, message);
    }
  }

  /** Sends a message, or what an adversary makes of it. */
  transmit(end: LinkEnd, polled: Uint8Array): void {
    const message = this.tamper === undefined ? polled : this.tamper(polled, end);
    if (message === undefined) return;
    this.sent[message[1] === Kind.DATA ? "data" : "control"] += webSocketBytes(message.length, end.dialled);
    this.hooks.handleTransmit(this, end, message);
    end.send(message);
  }

  #handleEvent(event: NodeEvent): void {
    switch (event.type) {
      case "link-up":
        this.neighbours.set(toHex(event.key), event.link);
        this.ports.set(event.port, event.link);
        this.#markUp(event.link, true);
        break;
      case "link-down":
        if (this.neighbours.get(toHex(event.key)) === event.link) this.neighbours.delete(toHex(event.key));
        if (this.ports.get(event.port) === event.link) this.ports.delete(event.port);
        this.#markUp(event.link, false);
        break;
      case "close": {
        const end = this.ends.get(event.link);
        this.ends.delete(event.link);
        end?.close(event.code);
        this.onClosed(event.link, undefined);
        break;
      }
      case "persist":
        this.disk.epoch = event.epoch;
        break;
      case "locator":
        this.disk.locators.set(toHex(event.locator.key), event.locator);
        break;
      case "ping":
      case "trace":
      case "lookup": {
        const answered = this.asking.get(event.request);
        this.asking.delete(event.request);
        answered?.(event);
        break;
      }
    }
    this.hooks.handleEvent(this, event);
  }

  #markUp(number: number, isUp: boolean): void {
    const end = this.ends.get(number);
    if (end !== undefined) end.isUp = isUp;
  }

  #arm(timeMs: number): void {
    if (timeMs >= this.#timerMs) return;
    this.#timerMs = Math.max(timeMs, this.schedule.nowMs);
    const armedMs = this.#timerMs;
    const { node } = this;
    this.schedule.at(armedMs, () => {
      if (this.node === node && this.#timerMs === armedMs) this.#fire();
    });
  }

  #fire(): void {
    if (this.#isStopped) {
      this.#missed.push(() => this.#fire());
      return;
    }
    this.#timerMs = Number.POSITIVE_INFINITY;
    this.act((node, nowMs) => {
      if (node.pollTimeout() <= nowMs) node.handleTimeout(nowMs);
    });
  }

  #countTurn(): void {
    const { nowMs } = this.schedule;
    if (nowMs > this.#wakeMs + 100) this.wakes++;
    this.#wakeMs = nowMs;
    if (nowMs !== this.#turnsMs) this.#turns = 0;
    this.#turnsMs = nowMs;
    if (++this.#turns > TURNS_MAX) throw new Error(`node ${this.index} spins at ${this.#turnsMs} ms`);
  }
}
