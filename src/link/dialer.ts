import type { ClientRequest } from "node:http";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, TLSSocket } from "node:tls";
import { CLOSE_TEXT, CloseCode } from "../wire/codes.js";
import { keyToName } from "../wire/name.js";
import { isLoopbackHost } from "./addresses.js";
import { certificateKey } from "./certificate.js";
import { DIALER_LIMITS, type DialerLimits, type LinkLimits, SOCKET_OPTIONS } from "./config.js";
import type { Link, Timers } from "./link.js";
import { type PeerUri, peerEndpoint } from "./peer-uri.js";
import { type DialerStats, type LinkStats, newDialerStats, newLinkStats } from "./stats.js";
import { LinkSocket, readClose, WebSocketLink } from "./websocket.js";

/** A link that a dialer opened, with what its hello must show. */
export interface DialledLink {
  readonly link: Link;
  /** The other end must prove one of these; with none, any. */
  readonly keys: readonly Uint8Array[];
  /** Pre-shared secret of the peer URI. */
  readonly secret: string | undefined;
}

export interface DialerOptions {
  readonly uri: PeerUri;
  readonly timers: Timers;
  /** 0 ≤ x < 1, for the jitter of the backoff. */
  readonly random: () => number;
  /** Takes each link, before anything is read from it. */
  readonly onLink: (dialled: DialledLink) => void;
  readonly limits?: Partial<DialerLimits>;
  readonly linkLimits?: Partial<LinkLimits>;
  /** Shared by the dialers of a node. */
  readonly stats?: DialerStats;
  readonly linkStats?: LinkStats;
  /** Certificate authorities in place of the system's, PEM. */
  readonly authorities?: string;
}

/** For people: what the dialer does, why the last try or link ended, when it tries again. */
export interface DialerStatus {
  readonly state: "idle" | "dialling" | "connected" | "waiting";
  readonly lastError: string | undefined;
  readonly nextTryMs: number | undefined;
}

/**
 * Keeps a link to one peer URI: dials, hands the link over, and dials again when it ends, later with each failure.
 *
 * On `wss` with pinned keys the certificate must be signed by one of them itself, or be valid for the host under a
 * certificate authority (a reverse proxy); nothing is sent to anyone else. Without pinned keys any certificate will do. In
 * every case it is the hello that proves the other end's key.
 */
export class Dialer {
  readonly stats: DialerStats;
  readonly linkStats: LinkStats;

  readonly #options: DialerOptions;
  readonly #limits: DialerLimits;
  #state: DialerStatus["state"] = "idle";
  #failures = 0;
  #lastError: string | undefined;
  #nextTryMs = 0;
  #socket: LinkSocket | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#limits = { ...DIALER_LIMITS, ...options.limits };
    this.stats = options.stats ?? newDialerStats();
    this.linkStats = options.linkStats ?? newLinkStats();
  }

  /** Dials now, with the backoff at its beginning. Where a link or a dial is under way it does nothing. */
  start(): void {
    if (this.#state === "dialling" || this.#state === "connected") return;
    this.#cancelTimer?.();
    this.#failures = 0;
    this.#dial();
  }

  /** Dials no more and gives up a dial under way. A link that was handed over stays with who has it. */
  stop(): void {
    this.#cancelTimer?.();
    if (this.#state === "dialling") this.#socket?.terminate();
    this.#socket = undefined;
    this.#state = "idle";
  }

  status(): DialerStatus {
    const waiting = this.#state === "waiting";
    return {
      state: this.#state,
      lastError: this.#lastError,
      nextTryMs: waiting ? Math.max(0, this.#nextTryMs - this.#options.timers.nowMs()) : undefined,
    };
  }

  #dial(): void {
    const { timers, uri } = this.#options;
    this.#state = "dialling";
    this.stats.dials += 1;
    const socket = openSocket(uri, this.#limits.headerBytesMax, this.#options.authorities);
    this.#socket = socket;
    this.#cancelTimer = timers.after(this.#limits.dialTimeoutMs, () => {
      this.#fail(socket, `no link within ${this.#limits.dialTimeoutMs / 1_000} s`);
      socket.terminate();
    });

    let stream: Duplex | undefined;
    socket.once("upgrade", (response) => {
      stream = response.socket;
    });
    socket.once("open", () => {
      if (socket === this.#socket && stream !== undefined) this.#handleOpen(socket, stream);
      else socket.terminate();
    });
    socket.once("unexpected-response", (_request, response) => {
      this.#fail(socket, `the other end answered HTTP ${response.statusCode}, not a WebSocket: is the path right?`);
      socket.terminate();
    });
    socket.on("error", (error) => {
      if (error instanceof KeyMismatchError && socket === this.#socket) this.stats.keyMismatches += 1;
      this.#fail(socket, describeError(error));
    });
  }

  #handleOpen(socket: LinkSocket, stream: Duplex): void {
    const { uri, timers, onLink } = this.#options;
    this.#cancelTimer?.();
    this.#state = "connected";
    this.#lastError = undefined;
    this.stats.links += 1;
    const openedMs = timers.nowMs();
    const link = new WebSocketLink(socket, stream, {
      remote: peerEndpoint(uri),
      dialled: true,
      timers,
      stats: this.linkStats,
      limits: this.#options.linkLimits,
    });
    socket.once("close", (code, reason) => {
      if (timers.nowMs() - openedMs >= this.#limits.provenMs) this.#failures = 0;
      this.#wait(socket, readClose(code, reason.toString())[1]);
    });
    onLink({ link, keys: uri.keys, secret: uri.password });
  }

  /** The dial under way has failed; later events of its socket say nothing new. */
  #fail(socket: LinkSocket, error: string): void {
    if (socket !== this.#socket || this.#state !== "dialling") return;
    this.#cancelTimer?.();
    this.stats.failures += 1;
    this.#wait(socket, error);
  }

  #wait(socket: LinkSocket, error: string): void {
    if (socket !== this.#socket) return;
    const { timers, uri, random } = this.#options;
    const backoffMaxMs = uri.backoffMaxMs ?? this.#limits.backoffMaxMs;
    const backoffMs = Math.min(backoffMaxMs, this.#limits.backoffFirstMs * 2 ** this.#failures);
    // Half is kept, half is drawn: peers that lost one node together do not come back together.
    const delayMs = (backoffMs * (1 + random())) / 2;
    this.#socket = undefined;
    this.#state = "waiting";
    this.#failures += 1;
    this.#lastError = error;
    this.#nextTryMs = timers.nowMs() + delayMs;
    this.#cancelTimer = timers.after(delayMs, () => this.#dial());
  }
}

class KeyMismatchError extends Error {
  readonly code = CloseCode.KEY_MISMATCH;
}

function openSocket(uri: PeerUri, headerBytesMax: number, authorities: string | undefined): LinkSocket {
  const isSecure = uri.scheme === "wss";
  // An address with a zone (fe80::1%eth0) has no place in a URL: `connect` gets it whole.
  const url = peerEndpoint({ ...uri, host: uri.host.replace(/%.*$/, "") });
  const options = {
    ...SOCKET_OPTIONS,
    maxHeaderSize: headerBytesMax,
    createConnection: () => (isSecure ? connectSecure(uri, authorities) : connectTcp(uri.port, uri.host)),
    finishRequest: (request: ClientRequest) => {
      if (isSecure) request.once("socket", (socket) => finishWhenPinned(request, socket, uri));
      else request.end();
    },
    // Masks keep the payload of a page from passing for HTTP at a proxy (RFC 6455, 10.3). Where TLS or the loopback hides it
    // from proxies they would only cost a copy of each frame.
    ...(isSecure || isLoopbackHost(uri.host) ? { generateMask: zeroMask } : {}),
  };
  return new LinkSocket(url, options);
}

function connectSecure(uri: PeerUri, authorities: string | undefined): TLSSocket {
  return connectTls({
    host: uri.host,
    port: uri.port,
    servername: isIP(uri.host.replace(/%.*$/, "")) === 0 ? uri.host : "",
    // The verdict is `finishWhenPinned`'s, with `authorized` for the certificate authorities.
    rejectUnauthorized: false,
    ...(authorities === undefined ? {} : { ca: authorities }),
  });
}

/** Sends the request once the certificate shows a pinned key. */
function finishWhenPinned(request: ClientRequest, socket: Socket, uri: PeerUri): void {
  socket.once("secureConnect", () => {
    const error = pinError(socket, uri);
    if (error === undefined) request.end();
    else socket.destroy(error);
  });
}

function pinError(socket: Socket, uri: PeerUri): KeyMismatchError | undefined {
  if (!(socket instanceof TLSSocket) || uri.keys.length === 0 || socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  const key = certificate === undefined ? undefined : certificateKey(certificate);
  if (key !== undefined && uri.keys.some((pinned) => Buffer.compare(pinned, key) === 0)) return undefined;
  const shown =
    key === undefined ? "a certificate of no node and of no known authority" : `the key of ${keyToName(key)}`;
  return new KeyMismatchError(`${CLOSE_TEXT[CloseCode.KEY_MISMATCH]}: ${peerEndpoint(uri)} shows ${shown}`);
}

function zeroMask(mask: Buffer): void {
  mask.fill(0);
}

const ERROR_TEXT: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens at that address and port",
  ECONNRESET: "the other end cut the connection: it may not admit this address, or not be a node",
  ENOTFOUND: "the host name is unknown",
  EAI_AGAIN: "the host name could not be looked up: is there a network?",
  ETIMEDOUT: "the host does not answer",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  HPE_HEADER_OVERFLOW: "the other end answered with too long headers: it is no node",
};

function describeError(error: Error & { code?: unknown }): string {
  const text = typeof error.code === "string" ? ERROR_TEXT[error.code] : undefined;
  return text ?? (error.message || error.name);
}
