import { Budget } from "../wire/budget.js";
import { CloseCode } from "../wire/codes.js";
import { PING, PONG } from "../wire/control.js";
import { Kind, kindOf } from "../wire/kinds.js";
import { FRAME_BYTES_MAX } from "../wire/limits.js";
import type { NodeConfig } from "./config.js";
import { type Acquaintance, Hello, type HelloSide, type HelloTerms } from "./hello.js";
import { KeepAlive, type LinkUse } from "./keep-alive.js";
import { LinkWindow } from "./link-window.js";
import { isKept, Links, type NodeLink } from "./links.js";
import type { Ports } from "./ports.js";
import type { LinkStats } from "./stats.js";

/** What the keeper tells the node, and asks it. */
export interface LinkKeeperHooks {
  /** The hello of the link is complete. */
  up(link: NodeLink, who: Acquaintance, nowMs: number): void;
  /** The link is no longer to be used; `code` is why this node ends it, undefined where it just ended. */
  down(link: NodeLink, who: Acquaintance, code: CloseCode | undefined, nowMs: number): void;
  /** The driver is to close the link. */
  close(link: NodeLink, code: CloseCode): void;
  /** A round trip of the link was measured anew. */
  measured(who: Acquaintance, rttMs: number): void;
  /** What the line of the link takes was seen anew; Infinity where it is not what limits. */
  paced(who: Acquaintance, bytesPerMs: number): void;
  useOf(port: number): LinkUse;
}

/** What the node brings to hellos, but for what the keeper adds. */
export type Introduction = Omit<HelloTerms, "spend" | "claim">;

/**
 * The links of a node from their opening to their end: hellos, port numbers, duplicates, keep-alive. What is above sees a link only
 * while it is established.
 */
export class LinkKeeper {
  readonly links = new Links();
  /** No link needs attention before this; it may be too early, never too late. */
  #dueMs = Number.POSITIVE_INFINITY;
  /** Numbers of links with a message of the keeper's own to send. */
  readonly #ready = new Set<number>();
  readonly #terms: HelloTerms;

  constructor(
    introduction: Introduction,
    private readonly ports: Ports,
    private readonly config: NodeConfig,
    private readonly stats: LinkStats,
    private readonly hooks: LinkKeeperHooks,
    nowMs: number,
  ) {
    const hellos = new Budget(config.hellosPerSecond, config.hellosBurst, nowMs);
    this.#terms = {
      ...introduction,
      spend: (atMs) => this.#count(hellos.take(atMs), "hellosOverBudget"),
      claim: (key, atMs) => {
        const port = ports.claim(key, atMs);
        if (port === undefined) stats.linksRefused++;
        return port;
      },
    };
  }

  handleOpen(number: number, side: HelloSide, nowMs: number): void {
    if (!side.dialled && this.links.inHelloFromOutside >= this.config.hellosMax) {
      this.stats.hellosEvicted++;
      this.close(this.links.oldestInHello(true)!, CloseCode.BUSY, nowMs);
    }
    const hello = new Hello(this.#terms, side, nowMs);
    const { dialled } = side;
    this.links.add({
      number,
      dialled,
      openedMs: nowMs,
      hello,
      established: undefined,
      waitingMs: Number.POSITIVE_INFINITY,
    });
    if (dialled) this.#ready.add(number);
    this.#dueBy(nowMs + this.config.helloTimeoutMs);
  }

  /** The established link that the message is a frame of, for whatever is above; undefined where the keeper dealt with it. */
  handleMessage(number: number, message: Uint8Array, nowMs: number): NodeLink | undefined {
    const link = this.links.get(number);
    if (link === undefined) return undefined;
    if (link.established !== undefined) return this.#handleFrame(link, message, nowMs) ? link : undefined;
    const code = link.hello.handleMessage(message, nowMs);
    if (code !== undefined) {
      this.close(link, code, nowMs);
      return undefined;
    }
    this.#ready.add(number);
    if (link.hello.acquaintance !== undefined) this.#establish(link, link.hello.acquaintance, nowMs);
    return undefined;
  }

  handleClosed(number: number, nowMs: number): void {
    const link = this.links.get(number);
    if (link !== undefined) this.#forget(link, undefined, nowMs);
  }

  close(link: NodeLink, code: CloseCode, nowMs: number): void {
    this.stats.closed[code]!++;
    this.#forget(link, code, nowMs);
    this.hooks.close(link, code);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.#dueMs) return;
    const { helloTimeoutMs, slowMs } = this.config;
    for (let oldest = this.links.oldestInHello(false); oldest !== undefined; ) {
      if (nowMs < oldest.openedMs + helloTimeoutMs) break;
      this.close(oldest, CloseCode.HELLO_TIMEOUT, nowMs);
      oldest = this.links.oldestInHello(false);
    }
    let nextMs = Number.POSITIVE_INFINITY;
    for (const link of this.links.established()) {
      if (nowMs >= link.waitingMs + slowMs) this.close(link, CloseCode.SLOW, nowMs);
      else nextMs = Math.min(nextMs, link.waitingMs + slowMs, this.#lookInto(link, nowMs));
    }
    const oldest = this.links.oldestInHello(false);
    this.#dueMs = oldest === undefined ? nextMs : Math.min(nextMs, oldest.openedMs + helloTimeoutMs);
  }

  pollTimeout(): number {
    return this.#dueMs;
  }

  /** Number of a link that has a message of the keeper's own, −1 where none has. */
  pollReady(): number {
    for (const number of this.#ready) {
      this.#ready.delete(number);
      if (this.links.get(number) !== undefined) return number;
    }
    return -1;
  }

  /** The next message of the keeper's own for the link: hellos, then pong, then ping. */
  pollTransmit(link: NodeLink, nowMs: number): Uint8Array | undefined {
    const hello = link.hello.pollTransmit();
    if (hello !== undefined || link.established === undefined) return hello;
    const { keepAlive, window } = link.established;
    const pong = keepAlive.pollPong();
    if (pong !== undefined) return pong;
    if (!keepAlive.isPingDue && !window.isMarkDue(nowMs)) return undefined;
    const token = this.#token();
    window.handleMark(token, nowMs);
    const ping = keepAlive.pollPing(() => token, nowMs);
    if (ping === undefined) return PING.encode({ token });
    this.#dueBy(keepAlive.pollTimeout(nowMs));
    return ping;
  }

  /** A frame of what is above goes out on the link. */
  handleSent(link: NodeLink, frame: Uint8Array, nowMs: number): void {
    const { keepAlive, window } = link.established!;
    window.handleSent(frame.length);
    const isData = frame[1] === Kind.DATA;
    if (keepAlive.handleSent(isData, nowMs)) this.#dueBy(keepAlive.pollTimeout(nowMs));
  }

  /** Frames wait for the link since now, or none do. Those that are held wait since something was confirmed. */
  handleWaiting(link: NodeLink, isWaiting: boolean, nowMs: number): void {
    if (link.established?.window.isHolding) return;
    link.waitingMs = isWaiting ? nowMs : Number.POSITIVE_INFINITY;
    if (isWaiting) this.#dueBy(nowMs + this.config.slowMs);
  }

  /** Frames wait until the other end confirms what is under way. */
  handleHeld(link: NodeLink, nowMs: number): void {
    const { window } = link.established!;
    if (!window.isHolding) {
      this.stats.windowsFull++;
      this.handleWaiting(link, true, nowMs);
    }
    window.handleHeld();
  }

  /** The trees changed: some links may be used otherwise. */
  handleUseChanged(nowMs: number): void {
    this.#dueBy(nowMs);
  }

  /** True where the frame is for what is above. */
  #handleFrame(link: NodeLink, frame: Uint8Array, nowMs: number): boolean {
    const { keepAlive } = link.established!;
    const kind = kindOf(frame);
    keepAlive.handleReceived(kind === Kind.DATA, nowMs);
    const code = this.#judge(link, frame, kind, nowMs);
    if (code !== undefined) this.close(link, code, nowMs);
    return code === undefined && kind !== Kind.PING && kind !== Kind.PONG;
  }

  /** Why the link must be closed, or undefined. Pings and pongs are dealt with. */
  #judge(link: NodeLink, frame: Uint8Array, kind: number, nowMs: number): CloseCode | undefined {
    if (frame.length > FRAME_BYTES_MAX) return CloseCode.OVERSIZE;
    if (kind < 0) return CloseCode.MALFORMED;
    switch (kind) {
      case Kind.HELLO:
      case Kind.PROOF:
      case Kind.CERT:
        return CloseCode.UNEXPECTED;
      case Kind.PING: {
        const ping = PING.decode(frame);
        if (typeof ping === "number") return ping;
        this.#ready.add(link.number);
        return link.established!.keepAlive.handlePing(ping.token, nowMs) ? undefined : CloseCode.FLOOD;
      }
      case Kind.PONG: {
        const pong = PONG.decode(frame);
        if (typeof pong === "number") return pong;
        this.#handlePong(link, pong.token, pong.clock, nowMs);
        return undefined;
      }
      default:
        return undefined;
    }
  }

  #handlePong(link: NodeLink, token: number, clock: number, nowMs: number): void {
    const { keepAlive, window, who } = link.established!;
    if (keepAlive.handlePong(token, nowMs)) this.hooks.measured(who, keepAlive.rttMs);
    if (!this.#count(window.handlePong(token, clock, nowMs), "pongsUnasked")) return;
    this.hooks.paced(who, window.bytesPerMs);
    if (!window.isHolding) return;
    link.waitingMs = nowMs;
    // What was sent after the last ping may be more than a window that has become smaller: then another is to go.
    if (window.hasRoom) window.isHolding = false;
    else if (!window.isMarkDue(nowMs)) return;
    this.#ready.add(link.number);
  }

  #establish(link: NodeLink, who: Acquaintance, nowMs: number): void {
    const other = this.links.byKey(who.key);
    if (other?.established !== undefined) {
      const rival = { dialled: other.dialled, linkEpoch: other.established.who.linkEpoch };
      const claimant = { dialled: link.dialled, linkEpoch: who.linkEpoch };
      if (!isKept(claimant, rival, this.#terms.identity.publicKey, who.key)) {
        // A neighbour that dials again may have lost the link that is kept here.
        other.established.keepAlive.doubt(nowMs);
        this.#ready.add(other.number);
        this.close(link, CloseCode.DUPLICATE, nowMs);
        return;
      }
      this.close(other, CloseCode.DUPLICATE, nowMs);
    }
    const isLeafLink = who.leaf || this.#terms.leaf;
    const keepAlive = new KeepAlive(this.config.keepAlive, isLeafLink, who.rttMs, nowMs);
    this.links.establish(link, { who, keepAlive, window: new LinkWindow(this.config.linkWindow), upMs: nowMs });
    this.stats.established++;
    this.hooks.up(link, who, nowMs);
    this.handleUseChanged(nowMs);
  }

  #forget(link: NodeLink, code: CloseCode | undefined, nowMs: number): void {
    const who = link.established?.who;
    this.links.remove(link);
    this.#ready.delete(link.number);
    if (link.hello.port !== undefined) this.ports.release(link.hello.port, nowMs);
    if (who !== undefined) this.hooks.down(link, who, code, nowMs);
  }

  /** Gives when the link is to be looked into again; Infinity where it is dead. */
  #lookInto(link: NodeLink, nowMs: number): number {
    const { keepAlive, who } = link.established!;
    keepAlive.use = this.hooks.useOf(who.port.number);
    const dueMs = keepAlive.pollTimeout(nowMs);
    if (nowMs < dueMs) return dueMs;
    if (keepAlive.handleTimeout(nowMs) === "dead") {
      this.close(link, CloseCode.DEAD, nowMs);
      return Number.POSITIVE_INFINITY;
    }
    this.#ready.add(link.number);
    return keepAlive.pollTimeout(nowMs);
  }

  #dueBy(timeMs: number): void {
    this.#dueMs = Math.min(this.#dueMs, timeMs);
  }

  #token(): number {
    const [a, b, c, d] = this.#terms.random(4) as unknown as [number, number, number, number];
    return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  }

  /** Counts where `isGood` is false; gives it back. */
  #count(isGood: boolean, counter: "hellosOverBudget" | "pongsUnasked"): boolean {
    if (!isGood) this.stats[counter]++;
    return isGood;
  }
}
