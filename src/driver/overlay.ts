import type { Link, Timers } from "../link/link.js";
import type { NodeEvent, RequestEvent } from "../node/events.js";
import type { Node } from "../node/node.js";
import type { StoredLocator } from "../router/locators.js";
import { SESSION_CODE_TEXT, SessionCode } from "../session/codes.js";
import type { Session } from "../session/session.js";
import { equalBytes } from "../wire/bytes.js";
import { CLOSE_TEXT, CloseCode } from "../wire/codes.js";
import { OverlayError } from "./errors.js";
import { OverlaySession, type SessionEnd } from "./overlay-session.js";

/** What the hello of a link must show. */
export interface Expected {
  /** The other end must prove one of these; with none, any. */
  readonly keys?: readonly Uint8Array[];
  /** The secret of this link, where it is not the network's. */
  readonly secret?: Uint8Array | undefined;
}

/** Why a link ended. `code` is of `wire/codes.ts`, whichever side closed; undefined where the connection just ended. */
export interface LinkEnd {
  readonly code: number | undefined;
  readonly reason: string;
}

export interface OverlayOptions {
  readonly node: Node;
  readonly timers: Timers;
  /** Keep this on disk, and give it back as the node's `storedEpoch` at the next start. */
  readonly onPersist?: (epoch: number) => void;
  /** Keep this on disk for a while, and give it back among the node's `storedLocators`. */
  readonly onLocator?: (locator: StoredLocator) => void;
  /** A tree has another root now; with undefined none that this node knows. */
  readonly onRoot?: (tree: number, key: Uint8Array | undefined) => void;
  /** The hello of a link is complete. */
  readonly onLinkUp?: (link: Link, key: Uint8Array, port: number) => void;
  /** A link ended, on either side. `key` is undefined where its hello never was complete. */
  readonly onLinkDown?: (link: Link, key: Uint8Array | undefined, end: LinkEnd) => void;
  /** A session is there, whoever asked for it. Its streams are to be taken up before this returns. */
  readonly onSession?: (session: OverlaySession) => void;
}

/** The answer to a `ping`, `trace` or `lookup`. Where `ok` is false, `reason` says why. */
export type Answer<Type extends RequestEvent["type"]> = Extract<RequestEvent, { type: Type }>;

interface Attached {
  readonly link: Link;
  /** Undefined until the hello is complete. */
  key: Uint8Array | undefined;
  writable: boolean;
  /** True once `onLinkDown` was told. */
  ended: boolean;
}

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: OverlayError): void;
}

/**
 * Drives one node with real links and real time: what the links bring goes in, what the node has to say goes out as fast as each link
 * takes it, one timer fires when the node wants, and the node's events become callbacks, promises and streams.
 *
 * What goes out waits for the end of the turn: one chunk of a socket holds many frames, and what they cause leaves in one write.
 */
export class Overlay {
  readonly node: Node;
  readonly #options: OverlayOptions;
  readonly #timers: Timers;
  readonly #links = new Map<number, Attached>();
  #lastLink = 0;
  readonly #sessions = new Map<Session, OverlaySession>();
  readonly #connecting = new Map<Session, Waiting<OverlaySession>[]>();
  readonly #asked = new Map<number, Waiting<RequestEvent>>();
  #settleDue = false;
  /** When the timer fires. */
  #armedMs = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | undefined;
  #stopped: Promise<void> | undefined;
  #handleLinksGone: (() => void) | undefined;

  constructor(options: OverlayOptions) {
    this.node = options.node;
    this.#options = options;
    this.#timers = options.timers;
    this.poll();
  }

  /** Takes over an open link: its callbacks are the overlay's from now on. */
  attach(link: Link, expected: Expected = {}): void {
    if (this.#stopped !== undefined) {
      link.close(CloseCode.SHUTDOWN, CLOSE_TEXT[CloseCode.SHUTDOWN]);
      return;
    }
    const number = ++this.#lastLink;
    const attached: Attached = { link, key: undefined, writable: true, ended: false };
    this.#links.set(number, attached);
    const { keys = [], secret } = expected;
    const expectedKeys = keys.length === 0 ? undefined : keys;
    this.node.handleLinkOpen(number, { dialled: link.dialled, expectedKeys, secret }, this.nowMs());
    link.onMessage = (message) => {
      this.node.handleMessage(number, message, this.nowMs());
      this.poll();
    };
    link.onWritable = () => {
      attached.writable = true;
      this.#pump(number);
      this.poll();
    };
    link.onClose = (code, reason) => this.#handleClose(number, attached, { code, reason });
    this.poll();
  }

  /**
   * The established session with a node, or a new one. Rejects with an `OverlayError`: `PINYON_UNREACHABLE`, `PINYON_HANDSHAKE_TIMEOUT`,
   * `PINYON_SESSION_ENDED`, `PINYON_SELF`, `PINYON_BUSY`, `PINYON_STOPPED`.
   */
  connect(key: Uint8Array): Promise<OverlaySession> {
    if (this.#stopped !== undefined) return Promise.reject(new OverlayError("PINYON_STOPPED"));
    if (equalBytes(key, this.node.key)) return Promise.reject(new OverlayError("PINYON_SELF"));
    const session = this.node.connect(key, this.nowMs());
    this.poll();
    if (session === undefined) return Promise.reject(new OverlayError("PINYON_BUSY"));
    const established = this.#sessions.get(session);
    if (established !== undefined) return Promise.resolve(established);
    return new Promise((resolve, reject) => {
      const waiting = this.#connecting.get(session);
      if (waiting === undefined) this.#connecting.set(session, [{ resolve, reject }]);
      else waiting.push({ resolve, reject });
    });
  }

  /** Measures the way to a node. Rejects, like `trace` and `lookup`, with `PINYON_BUSY` or `PINYON_STOPPED` only. */
  ping(key: Uint8Array): Promise<Answer<"ping">> {
    return this.#ask("ping", key);
  }

  /** Names and measures each node on the way to a node. */
  trace(key: Uint8Array): Promise<Answer<"trace">> {
    return this.#ask("trace", key);
  }

  /** Finds where a node is. */
  lookup(key: Uint8Array): Promise<Answer<"lookup">> {
    return this.#ask("lookup", key);
  }

  status(): ReturnType<Node["status"]> {
    return this.node.status();
  }

  /** Ends all sessions, then all links, telling the other ends; resolves when the links are gone. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  nowMs(): number {
    return this.#timers.nowMs();
  }

  /** Something was asked of the node: looks at it at the end of this turn. */
  poll(): void {
    if (this.#settleDue) return;
    this.#settleDue = true;
    process.nextTick(() => this.#settle());
  }

  #settle(): void {
    this.#settleDue = false;
    this.node.handleSessionUse(this.nowMs());
    for (;;) {
      const event = this.node.pollEvent();
      if (event !== undefined) {
        this.#handleEvent(event);
        continue;
      }
      const link = this.node.pollReady();
      if (link < 0) break;
      // What leaves makes room, which may be an event.
      this.#pump(link);
    }
    this.#arm();
  }

  #pump(number: number): void {
    const attached = this.#links.get(number);
    while (attached?.writable === true) {
      const message = this.node.pollTransmit(number, this.nowMs());
      if (message === undefined) return;
      attached.writable = attached.link.send(message);
    }
  }

  /** A timer that fires early costs one look; so a deadline that moves away, as most do all the time, leaves it as it is. */
  #arm(): void {
    const dueMs = this.node.pollTimeout();
    if (dueMs >= this.#armedMs || this.#stopped !== undefined) return;
    this.#disarm?.();
    this.#armedMs = dueMs;
    this.#disarm = this.#timers.after(dueMs - this.nowMs(), () => {
      this.#armedMs = Number.POSITIVE_INFINITY;
      this.node.handleTimeout(this.nowMs());
      this.#settle();
    });
  }

  #handleClose(number: number, attached: Attached, end: LinkEnd): void {
    this.#links.delete(number);
    this.node.handleLinkClosed(number, this.nowMs());
    this.poll();
    this.#tellDown(attached, end);
    if (this.#links.size === 0) this.#handleLinksGone?.();
  }

  #handleEvent(event: NodeEvent): void {
    switch (event.type) {
      case "link-up":
        this.#handleUp(event.link, event.key, event.port);
        break;
      case "link-down":
        // `close`, or the link itself, tells more: also what the other end said.
        break;
      case "close":
        this.#closeLink(event.link, event.code);
        break;
      case "persist":
        this.#options.onPersist?.(event.epoch);
        break;
      case "locator":
        this.#options.onLocator?.(event.locator);
        break;
      case "root":
        this.#options.onRoot?.(event.tree, event.key);
        break;
      case "established":
        this.#handleEstablished(event.session);
        break;
      case "readable":
        this.#sessions.get(event.session)?.stream(event.stream).handleReadable();
        break;
      case "writable":
        this.#sessions.get(event.session)?.stream(event.stream).handleWritable();
        break;
      case "finished":
        this.#sessions.get(event.session)?.stream(event.stream).handleFinished();
        break;
      case "reset":
        this.#sessions.get(event.session)?.stream(event.stream).handleReset(event.code);
        break;
      case "closed":
        this.#handleClosed(event.session, { code: event.code, reason: event.reason });
        break;
      default:
        this.#asked.get(event.request)?.resolve(event);
        this.#asked.delete(event.request);
    }
  }

  #handleUp(number: number, key: Uint8Array, port: number): void {
    const attached = this.#links.get(number);
    if (attached === undefined) return;
    attached.key = key;
    this.#options.onLinkUp?.(attached.link, key, port);
  }

  #closeLink(number: number, code: CloseCode): void {
    const attached = this.#links.get(number);
    if (attached === undefined) return;
    const reason = CLOSE_TEXT[code];
    attached.link.close(code, reason);
    this.#tellDown(attached, { code, reason });
  }

  #tellDown(attached: Attached, end: LinkEnd): void {
    if (attached.ended) return;
    attached.ended = true;
    this.#options.onLinkDown?.(attached.link, attached.key, end);
  }

  #handleEstablished(session: Session): void {
    const established = new OverlaySession(session, this);
    this.#sessions.set(session, established);
    this.#options.onSession?.(established);
    for (const { resolve } of this.#takeConnecting(session)) resolve(established);
  }

  #handleClosed(session: Session, end: SessionEnd): void {
    for (const { reject } of this.#takeConnecting(session)) reject(errorOf(end));
    this.#sessions.get(session)?.handleClosed(end);
    this.#sessions.delete(session);
  }

  #takeConnecting(session: Session): Waiting<OverlaySession>[] {
    const waiting = this.#connecting.get(session) ?? [];
    this.#connecting.delete(session);
    return waiting;
  }

  #ask<Type extends RequestEvent["type"]>(type: Type, key: Uint8Array): Promise<Answer<Type>> {
    if (this.#stopped !== undefined) return Promise.reject(new OverlayError("PINYON_STOPPED"));
    const request = this.node[type](key, this.nowMs());
    if (request === 0) return Promise.reject(new OverlayError("PINYON_BUSY"));
    this.poll();
    return new Promise((resolve, reject) => {
      this.#asked.set(request, { resolve: resolve as (answer: RequestEvent) => void, reject });
    });
  }

  async #stop(): Promise<void> {
    const reason = SESSION_CODE_TEXT[SessionCode.SHUTDOWN]!;
    for (const session of this.#sessions.values()) session.close(SessionCode.SHUTDOWN, reason);
    this.#settle();
    this.#disarm?.();
    const error = new OverlayError("PINYON_STOPPED");
    for (const { reject } of [...this.#asked.values(), ...[...this.#connecting.values()].flat()]) reject(error);
    this.#asked.clear();
    this.#connecting.clear();
    const gone = new Promise<void>((resolve) => {
      this.#handleLinksGone = resolve;
    });
    for (const number of this.#links.keys()) this.#closeLink(number, CloseCode.SHUTDOWN);
    if (this.#links.size > 0) await gone;
  }
}

function errorOf({ code, reason }: SessionEnd): OverlayError {
  if (code === SessionCode.UNREACHABLE) return new OverlayError("PINYON_UNREACHABLE");
  if (code === SessionCode.HANDSHAKE_TIMEOUT) return new OverlayError("PINYON_HANDSHAKE_TIMEOUT");
  return new OverlayError("PINYON_SESSION_ENDED", reason);
}
