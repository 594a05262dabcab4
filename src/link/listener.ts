import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";
import type { Duplex } from "node:stream";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { type Server as UpgradeServer, WebSocketServer } from "ws";
import { Budget } from "../wire/budget.js";
import { CLOSE_TEXT, CloseCode } from "../wire/codes.js";
import { isLocalAddress, plainAddress, sourceOf } from "./addresses.js";
import type { Certificate } from "./certificate.js";
import { LISTENER_LIMITS, type LinkLimits, type ListenerLimits, SOCKET_OPTIONS } from "./config.js";
import { type Connection, Connections } from "./connections.js";
import type { Link, Timers } from "./link.js";
import { type LinkStats, type ListenerStats, newLinkStats, newListenerStats } from "./stats.js";
import { LinkSocket, WebSocketLink } from "./websocket.js";

/** First byte of a TLS record that holds a handshake (RFC 8446, 5.1); an HTTP request begins with a letter. */
const TLS_HANDSHAKE = 0x16;

const PLAIN_TEXT =
  "This is a Pinyon node. It speaks WebSocket to other nodes: add this address as a peer to link to it.\n";

export interface ListenerOptions {
  readonly certificate: Certificate;
  readonly timers: Timers;
  /** Takes each new link, before anything is read from it. */
  readonly onLink: (link: Link) => void;
  /** Says whether a source address may link; asked at accept and at the upgrade. Behind a reverse proxy it is the proxy's. */
  readonly admit?: (address: string) => boolean;
  readonly limits?: Partial<ListenerLimits>;
  readonly linkLimits?: Partial<LinkLimits>;
}

/**
 * One TCP port for `ws` and `wss`, on any path. A connection goes through
 *
 * 1. accept: is its address admitted, is there room?
 * 2. the first byte: TLS or HTTP?
 * 3. the TLS handshake, with the node's own certificate
 * 4. the HTTP request: an upgrade, or a text that says what this is
 * 5. the link
 *
 * and has `upgradeTimeoutMs` for all of it. Whoever is refused is cut at 1, without a byte of TLS or HTTP read, except for a
 * few a second that go on to 4 and are told by close code: strangers' work stays small, and people learn what to set.
 */
export class Listener {
  readonly stats: ListenerStats = newListenerStats();
  readonly linkStats: LinkStats = newLinkStats();

  readonly #options: ListenerOptions;
  readonly #admit: (address: string) => boolean;
  readonly #limits: ListenerLimits;
  readonly #connections: Connections;
  /** The connection below each socket that HTTP sees: the TCP socket or the TLS socket over it. */
  readonly #bySocket = new WeakMap<Duplex, Connection>();
  readonly #links = new Set<Link>();
  readonly #onIdle: (() => void)[] = [];
  readonly #refusalsTold: Budget;
  readonly #secureContext: SecureContext;
  readonly #tcp: TcpServer;
  readonly #http: HttpServer;
  readonly #upgrader: UpgradeServer<typeof LinkSocket>;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#admit = options.admit ?? isLocalAddress;
    this.#limits = { ...LISTENER_LIMITS, ...options.limits };
    this.#connections = new Connections(this.#limits);
    const { refusalsToldPerSecond } = this.#limits;
    this.#refusalsTold = new Budget(refusalsToldPerSecond, refusalsToldPerSecond, options.timers.nowMs());
    const { certificatePem, privateKeyPem } = options.certificate;
    // Before TLS 1.3 the certificate, and with it the node's key, goes over the line in the clear.
    this.#secureContext = createSecureContext({ cert: certificatePem, key: privateKeyPem, minVersion: "TLSv1.3" });

    this.#tcp = createTcpServer((socket) => this.#accept(socket));
    this.#http = createServer({ maxHeaderSize: this.#limits.headerBytesMax }, (request, response) =>
      this.#answerPlain(request, response),
    );
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on("clientError", (error, socket) => this.#refuseRequest(error, socket));
    this.#upgrader = new WebSocketServer({
      ...SOCKET_OPTIONS,
      noServer: true,
      clientTracking: false,
      WebSocket: LinkSocket,
    });
    this.#upgrader.on("wsClientError", (error, socket) => this.#refuseRequest(error, socket));
  }

  /** Listens on `port` (0: any free one) of `host`, or of all addresses. Rejects with the system's error. */
  async listen(port: number, host?: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#tcp.once("error", reject);
      this.#tcp.listen({ port, host }, () => {
        this.#tcp.removeListener("error", reject);
        resolve();
      });
    });
    this.#tcp.on("error", () => {
      this.stats.acceptErrors += 1;
    });
  }

  /** Where it listens; undefined before `listen` and after `close`. */
  address(): AddressInfo | undefined {
    const address = this.#tcp.address();
    return address === null || typeof address === "string" ? undefined : address;
  }

  /** Connections that are not links yet. */
  get waitingCount(): number {
    return this.#connections.waitingCount;
  }

  get linkCount(): number {
    return this.#connections.linkCount;
  }

  /** Takes no more, cuts who waits, closes the links with SHUTDOWN, and resolves when all are gone. */
  async close(): Promise<void> {
    this.#tcp.close();
    for (const { socket } of this.#connections.waiting()) socket.destroy();
    for (const link of this.#links) link.close(CloseCode.SHUTDOWN, CLOSE_TEXT[CloseCode.SHUTDOWN]);
    await new Promise<void>((resolve) => {
      this.#onIdle.push(resolve);
      this.#checkIdle();
    });
  }

  /** The last socket closes after the server does, and a link after its socket. */
  #checkIdle(): void {
    if (this.waitingCount + this.linkCount + this.#links.size > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #accept(socket: Socket): void {
    this.stats.accepted += 1;
    socket.on("error", () => {});
    const address = plainAddress(socket.remoteAddress ?? "");
    const source = sourceOf(address);
    const refusal = this.#refusal(address, source);
    if (refusal !== undefined && !this.#mayTell(refusal)) {
      socket.destroy();
      return;
    }

    const cancelDeadline = this.#options.timers.after(this.#limits.upgradeTimeoutMs, () => {
      this.stats.upgradeTimeouts += 1;
      socket.destroy();
    });
    const connection: Connection = { socket, address, source, cancelDeadline };
    socket.once("close", () => {
      cancelDeadline();
      this.#connections.remove(connection);
      this.#checkIdle();
    });
    const evicted = this.#connections.add(connection);
    if (evicted !== undefined) {
      this.stats.waitingEvictions += 1;
      evicted.socket.destroy();
    }
    socket.once("data", (chunk: Buffer) => this.#handleFirstBytes(connection, chunk));
  }

  #refusal(address: string, source: string): CloseCode | undefined {
    if (!this.#admit(address)) return CloseCode.ADDRESS;
    return this.#connections.hasRoom(source) ? undefined : CloseCode.BUSY;
  }

  #mayTell(refusal: CloseCode): boolean {
    this.stats[refusal === CloseCode.ADDRESS ? "addressRefusals" : "busyRefusals"] += 1;
    return this.#refusalsTold.take(this.#options.timers.nowMs());
  }

  #handleFirstBytes(connection: Connection, chunk: Buffer): void {
    const { socket } = connection;
    socket.pause();
    socket.unshift(chunk);
    if (chunk[0] === TLS_HANDSHAKE) {
      this.#secure(connection);
    } else {
      this.#bySocket.set(socket, connection);
      this.#http.emit("connection", socket);
      socket.resume();
    }
  }

  #secure(connection: Connection): void {
    const secured = new TLSSocket(connection.socket, { isServer: true, secureContext: this.#secureContext });
    let isSecure = false;
    secured.once("secure", () => {
      isSecure = true;
      this.#bySocket.set(secured, connection);
      this.#http.emit("connection", secured);
    });
    secured.on("error", () => connection.socket.destroy());
    secured.once("close", () => {
      if (!isSecure) this.stats.tlsFailures += 1;
    });
  }

  #answerPlain(_request: IncomingMessage, response: ServerResponse): void {
    this.stats.plainRequests += 1;
    const headers = { "content-type": "text/plain; charset=utf-8", upgrade: "websocket", connection: "upgrade, close" };
    const { socket } = response;
    response.writeHead(426, headers).end(PLAIN_TEXT, () => socket?.destroySoon());
  }

  /** A request that is no HTTP or no proper upgrade. */
  #refuseRequest(error: Error & { code?: string }, socket: Duplex): void {
    const isOverflow = error.code === "HPE_HEADER_OVERFLOW";
    this.stats[isOverflow ? "headerOverflows" : "badRequests"] += 1;
    answer(socket, isOverflow ? "431 Request Header Fields Too Large" : "400 Bad Request");
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.#bySocket.get(socket);
    // A page in a browser on this network would come in under the address of its host; nodes send no origin.
    if (connection === undefined || request.headers.origin !== undefined) {
      this.stats.originRefusals += 1;
      answer(socket, "403 Forbidden");
      return;
    }
    this.#upgrader.handleUpgrade(request, socket, head, (webSocket) =>
      this.#handleUpgraded(connection, webSocket, socket),
    );
  }

  #handleUpgraded(connection: Connection, webSocket: LinkSocket, stream: Duplex): void {
    const refusal = this.#refusal(connection.address, connection.source);
    if (refusal !== undefined) {
      this.stats.refusalsTold += 1;
      webSocket.on("error", () => {});
      webSocket.refuse(refusal, CLOSE_TEXT[refusal]);
      return;
    }
    connection.cancelDeadline();
    this.#connections.promote(connection);
    this.stats.links += 1;
    const host = connection.address.includes(":") ? `[${connection.address}]` : connection.address;
    const link = new WebSocketLink(webSocket, stream, {
      remote: `${host}:${connection.socket.remotePort}`,
      dialled: false,
      timers: this.#options.timers,
      stats: this.linkStats,
      limits: this.#options.linkLimits,
    });
    this.#links.add(link);
    webSocket.once("close", () => {
      this.#links.delete(link);
      this.#checkIdle();
    });
    this.#options.onLink(link);
  }
}

function answer(socket: Duplex, status: string): void {
  if (socket.destroyed) return;
  socket.on("error", () => {});
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () => socket.destroy());
}
