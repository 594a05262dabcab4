import type { Crypto, Identity, RandomBytes } from "../crypto/crypto.js";
import { hmac } from "../crypto/hkdf.js";
import { VerdictCache } from "../crypto/verdicts.js";
import type { StoredLocator } from "../router/locators.js";
import { Router, type RouterEvent } from "../router/router.js";
import { Endpoint } from "../session/endpoint.js";
import type { Session } from "../session/session.js";
import { concatBytes, toHex, utf8 } from "../wire/bytes.js";
import { CLOSE_TEXT, CloseCode, DropReason } from "../wire/codes.js";
import { Kind } from "../wire/kinds.js";
import { NETWORK_ID_BYTES_MAX } from "../wire/limits.js";
import { BallExchange } from "./ball-exchange.js";
import { type NodeConfig, nodeConfig } from "./config.js";
import type { NodeEvent, RequestEvent } from "./events.js";
import type { Acquaintance, HelloSide } from "./hello.js";
import { LinkUse } from "./keep-alive.js";
import { LinkKeeper, type LinkKeeperHooks } from "./link-keeper.js";
import type { NodeLink } from "./links.js";
import { LocatorExchange } from "./locator-exchange.js";
import { Ports } from "./ports.js";
import { Requests } from "./requests.js";
import { SessionCarrier } from "./session-carrier.js";
import { type LinkStats, newLinkStats } from "./stats.js";
import { type NodeStatus, statusOf } from "./status.js";

export interface NodeOptions {
  readonly crypto: Crypto;
  /** Verdicts on signatures; several nodes in one process may share them. */
  readonly verdicts?: VerdictCache;
  readonly identity: Identity;
  readonly random: RandomBytes;
  /** The network's id: at most 64 bytes of UTF-8, none of them zero. */
  readonly network: string;
  /** The network's pre-shared secret. */
  readonly secret?: Uint8Array;
  /** True for a node that is nobody's parent and no root. */
  readonly leaf?: boolean;
  /** The keys that may link to this node, in hex; undefined: every key may. */
  readonly allowedKeys?: ReadonlySet<string>;
  /** The keys that may be a tree's root, in hex; undefined: every key may. */
  readonly rootKeys?: ReadonlySet<string>;
  /** The newest `persist` event's value; 0 without one. */
  readonly storedEpoch: number;
  /** The clock at the start, in milliseconds since 1970. It may be wrong. */
  readonly wallMs: number;
  readonly storedLocators?: Iterable<StoredLocator>;
  readonly config?: Partial<NodeConfig>;
}

/**
 * One node: hellos, keep-alive, router and sessions as one deterministic machine without clock, timers or links of its own.
 *
 * 1. `handleX` takes what happened: a link opened, sent a message, closed; `connect`, `ping`, `trace`, `lookup` what the user wants.
 * 2. `handleTimeout` is called when `pollTimeout` says so.
 * 3. After each of these: `pollEvent` until it gives undefined, `pollReady` until it gives −1, and for each link that it names
 *    `pollTransmit` as long as the link takes messages and there is one; all again until there are neither events nor messages. For
 *    a link that takes messages again `pollTransmit` comes first.
 * 4. `pollTimeout` gives the time of the next `handleTimeout`.
 *
 * Received bytes never throw. Time never runs back.
 */
export class Node {
  readonly key: Uint8Array;
  readonly config: NodeConfig;
  readonly linkStats: LinkStats = newLinkStats();
  readonly router: Router;
  readonly #ports: Ports;
  readonly #keeper: LinkKeeper;
  readonly #requests: Requests;
  readonly #endpoint: Endpoint;
  readonly #carrier: SessionCarrier;
  readonly #balls: BallExchange;
  readonly #locators: LocatorExchange;
  readonly #events: NodeEvent[] = [];
  #nowMs: number;
  #parentChanges = 0;

  constructor(options: NodeOptions, nowMs: number) {
    const { allowedKeys } = options;
    const own = ownOf(options);
    this.key = own.identity.publicKey;
    this.config = nodeConfig(own.crypto.name, options.config);
    this.#nowMs = nowMs;
    const { trees, paths, sessions } = this.config;
    const emit = (event: NodeEvent) => void this.#events.push(event);
    this.router = new Router({ ...options, ...own, trees, paths }, nowMs);
    this.#requests = new Requests(this.key, this.router, this.config, emit);
    const locator = () => this.#signedLocator();
    this.#endpoint = new Endpoint({ ...own, secret: sessionSecretOf(own), locator, config: sessions }, nowMs);
    const hasLink = (port: number) => this.#keeper.links.byPort(port) !== undefined;
    this.#balls = new BallExchange(this.router.paths, this.config);
    const known = () => this.#endpoint.sessions;
    this.#locators = new LocatorExchange(this.router.paths, known, own.random, this.config, nowMs);
    const exchanges = [this.#balls, this.#locators] as const;
    this.#carrier = new SessionCarrier(this.#endpoint, this.router, ...exchanges, this.config, hasLink, emit);
    this.#ports = new Ports(this.config);
    const admits = (key: Uint8Array) => allowedKeys === undefined || allowedKeys.has(toHex(key));
    const introduction = { ...own, admits, nextEpoch: () => this.router.epochs.next() };
    this.#keeper = new LinkKeeper(introduction, this.#ports, this.config, this.linkStats, this.#hooks(), nowMs);
  }

  // Links

  /** A link is open. `link` is the driver's own number for it, never used twice. */
  handleLinkOpen(link: number, side: HelloSide, nowMs: number): void {
    this.#begin(nowMs);
    this.#keeper.handleOpen(link, side, nowMs);
    this.#settle(nowMs);
  }

  /** A message came in. The node owns the bytes from now on. */
  handleMessage(link: number, message: Uint8Array, nowMs: number): void {
    this.#begin(nowMs);
    const from = this.#keeper.handleMessage(link, message, nowMs);
    if (from !== undefined) this.#handleFrame(from, message, nowMs);
    this.#settle(nowMs);
  }

  /** The link is gone, whoever ended it. Nothing happens where the node asked for it. */
  handleLinkClosed(link: number, nowMs: number): void {
    this.#begin(nowMs);
    this.#keeper.handleClosed(link, nowMs);
    this.#settle(nowMs);
  }

  // Sessions

  /**
   * The session with a key: the one that there is, or a new one, of which `established` or `closed` will tell. Undefined where the key
   * is no other node's, or there is no room.
   */
  connect(key: Uint8Array, nowMs: number): Session | undefined {
    this.#begin(nowMs);
    const session = this.#endpoint.connect(key, nowMs);
    this.#settle(nowMs);
    return session;
  }

  /** Methods of sessions were called: what they have to send or to tell is dealt with. */
  handleSessionUse(nowMs: number): void {
    this.#begin(nowMs);
    this.#settle(nowMs);
  }

  // Questions

  /** Asks whether the key answers, and how far away it is. Gives the number of the answering event, 0 where too many are asked. */
  ping(key: Uint8Array, nowMs: number): number {
    return this.#ask("ping", key, nowMs);
  }

  /** Asks who stands on the way to the key. */
  trace(key: Uint8Array, nowMs: number): number {
    return this.#ask("trace", key, nowMs);
  }

  /** Asks where the key is. */
  lookup(key: Uint8Array, nowMs: number): number {
    return this.#ask("lookup", key, nowMs);
  }

  // Time and output

  handleTimeout(nowMs: number): void {
    this.#begin(nowMs);
    this.#keeper.handleTimeout(nowMs);
    this.router.handleTimeout(nowMs);
    this.#requests.handleTimeout(nowMs);
    this.#carrier.handleTimeout(nowMs);
    this.#settle(nowMs);
  }

  pollTimeout(): number {
    const linksMs = Math.min(this.#keeper.pollTimeout(), this.router.pollTimeout());
    return Math.min(linksMs, this.#requests.pollTimeout(), this.#carrier.pollTimeout());
  }

  pollEvent(): NodeEvent | undefined {
    return this.#events.shift();
  }

  /** Number of a link that has something to send, −1 where none has. */
  pollReady(): number {
    const own = this.#keeper.pollReady();
    if (own >= 0) return own;
    for (let port = this.router.pollReady(); port !== 0; port = this.router.pollReady()) {
      const link = this.#keeper.links.byPort(port);
      if (link === undefined) continue;
      this.#keeper.handleWaiting(link, true, this.#nowMs);
      return link.number;
    }
    return -1;
  }

  /** The next message for a link that can take one. */
  pollTransmit(link: number, nowMs = this.#nowMs): Uint8Array | undefined {
    const to = this.#keeper.links.get(link);
    if (to === undefined) return undefined;
    const own = this.#keeper.pollTransmit(to, nowMs);
    if (own !== undefined || to.established === undefined) return own;
    const { who, window } = to.established;
    const frame = window.hasRoom ? this.#pull(who.port.number, nowMs) : this.router.pollUrgent(who.port.number);
    if (frame === undefined && !window.hasRoom && this.router.isWaiting(who.port.number)) {
      this.#keeper.handleHeld(to, nowMs);
      return undefined;
    }
    this.#keeper.handleWaiting(to, frame !== undefined, nowMs);
    if (frame !== undefined) this.#keeper.handleSent(to, frame, nowMs);
    return frame;
  }

  /** The next frame for a port, after which sessions may have room for more. */
  #pull(port: number, nowMs: number): Uint8Array | undefined {
    const frame = this.router.pollTransmit(port);
    if (!this.#carrier.handlePulled(port, frame === undefined)) return frame;
    this.#settle(nowMs);
    return frame ?? this.router.pollTransmit(port);
  }

  status(): NodeStatus {
    const { key, router, linkStats } = this;
    const { links } = this.#keeper;
    const [ports, endpoint, requests] = [this.#ports, this.#endpoint, this.#requests];
    return statusOf({ key, links, ports, router, endpoint, requests, linkStats });
  }

  #begin(nowMs: number): void {
    if (nowMs < this.#nowMs) throw new RangeError(`time runs back from ${this.#nowMs} to ${nowMs}`);
    this.#nowMs = nowMs;
  }

  #ask(type: RequestEvent["type"], key: Uint8Array, nowMs: number): number {
    this.#begin(nowMs);
    const number = this.#requests.start(type, key, nowMs);
    this.#settle(nowMs);
    return number;
  }

  #handleFrame(link: NodeLink, frame: Uint8Array, nowMs: number): void {
    const port = link.established!.who.port.number;
    switch (frame[1]) {
      case Kind.DATA: {
        const egress = this.router.forward(frame, port, nowMs);
        if (egress === 0) this.#carrier.handleFrame(frame, port, nowMs);
        else if (egress === DropReason.MALFORMED) this.#keeper.close(link, CloseCode.MALFORMED, nowMs);
        return;
      }
      default:
        this.router.handleControl(frame, port, nowMs);
    }
  }

  /** Until nothing is left to be done but to send and to wait. */
  #settle(nowMs: number): void {
    do {
      this.#carrier.pump(nowMs);
      for (let event = this.router.pollEvent(); event !== undefined; event = this.router.pollEvent()) {
        this.#handleRouterEvent(event, nowMs);
        this.#carrier.pump(nowMs);
      }
    } while (this.#balls.handleProgress(nowMs));
    if (this.#parentChanges === this.router.stats.parentChanges) return;
    this.#parentChanges = this.router.stats.parentChanges;
    this.#keeper.handleUseChanged(nowMs);
  }

  #handleRouterEvent(event: RouterEvent, nowMs: number): void {
    switch (event.type) {
      case "violation": {
        const link = this.#keeper.links.byPort(event.port);
        if (link !== undefined) this.#keeper.close(link, event.code, nowMs);
        break;
      }
      case "route":
        this.#requests.handleRoute(event.route, nowMs);
        this.#carrier.handleRoute(event.route, nowMs);
        break;
      case "seeking":
        this.#locators.handleSeeking(event.key);
        break;
      case "unreachable":
        this.#requests.handleUnreachable(event.key);
        this.#carrier.handleUnreachable(event.key, nowMs);
        break;
      case "probed":
        this.#requests.handleProbed(event.request, event.answer, nowMs);
        break;
      default:
        this.#events.push(event);
    }
  }

  #hooks(): LinkKeeperHooks {
    return {
      up: (link, who, nowMs) => this.#handleUp(link, who, nowMs),
      down: (link, who, code, nowMs) => {
        this.router.handleLinkDown(who.port.number, nowMs);
        this.#carrier.handleLinkDown(who.port.number);
        const { key, port } = who;
        const reason = code === undefined ? "the connection ended" : CLOSE_TEXT[code];
        this.#events.push({ type: "link-down", link: link.number, key, port: port.number, code, reason });
      },
      close: (link, code) => this.#events.push({ type: "close", link: link.number, code, reason: CLOSE_TEXT[code] }),
      measured: (who, rttMs) => this.router.handleRtt(who.port.number, rttMs),
      paced: (who, bytesPerMs) => {
        const port = who.port.number;
        if (this.router.handlePace(port, bytesPerMs)) this.#carrier.handlePace(port, bytesPerMs);
      },
      useOf: (port) => this.#useOf(port),
    };
  }

  /** This node's locator and its signature, as handshakes carry them. */
  #signedLocator(): Uint8Array {
    const { bytes, signature } = this.router.ownLocator();
    return concatBytes(bytes, signature);
  }

  #useOf(port: number): LinkUse {
    if (this.router.isParentLink(port)) return LinkUse.FULL;
    return this.router.isTreeLink(port) ? LinkUse.CHILD : LinkUse.NONE;
  }

  #handleUp(link: NodeLink, who: Acquaintance, nowMs: number): void {
    const { key, leaf, linkEpoch, theirPort, theirHalf, ourHalf, rttMs } = who;
    const port = who.port.number;
    this.router.handleLinkUp({ port, key, leaf, linkEpoch, theirPort, theirHalf, ourHalf, rttMs }, nowMs);
    this.#events.push({ type: "link-up", link: link.number, key, port });
  }
}

/** What a node brings to its hellos, its router and its sessions alike. */
function ownOf({ crypto, verdicts, identity, random, network, secret, leaf }: NodeOptions) {
  const networkId = utf8(network);
  if (networkId.length > NETWORK_ID_BYTES_MAX || networkId.includes(0)) {
    throw new RangeError("the network id is longer than 64 bytes, or one of them is zero");
  }
  return {
    crypto,
    verdicts: verdicts ?? new VerdictCache(crypto),
    identity,
    random,
    networkId,
    secret: secret ?? new Uint8Array(0),
    leaf: leaf ?? false,
  };
}

/** What sessions mix into their handshake in a private network: 32 bytes that depend on the network's secret alone. */
function sessionSecretOf({ crypto, secret }: { crypto: Crypto; secret: Uint8Array }): Uint8Array | undefined {
  if (secret.length === 0) return undefined;
  return hmac(crypto, secret, utf8("pinyon/1 session secret")).slice(0, 32);
}
