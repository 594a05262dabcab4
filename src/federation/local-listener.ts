import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContext } from "node:tls";
import { isServerName } from "../wire/name.js";
import { answerError, answerErrorOn } from "./answer-error.js";
import {
  BODY_WAITING_BYTES,
  HEAD_BYTES_MAX,
  HEAD_FIELDS_MAX,
  OUTBOUND_REQUESTS_MAX,
  REFUSALS_MAX,
  REQUEST_HEAD_TIMEOUT_MS,
  TCP_PROBE_MS,
  TUNNEL_IDLE_MS,
} from "./config.js";
import { Credential, takeCredential } from "./credential.js";
import { FederationError, federationErrorOf } from "./errors.js";
import { checkRawHeaders, headerValues } from "./headers.js";
import { join } from "./join.js";
import { addressOf, type ListenAddress, listenOn } from "./listen-address.js";
import type { Timers } from "./overlay.js";
import { parseTarget, type RequestTarget, SchemeHyphen, TLS_PORTS } from "./request-line.js";
import type { FederationStats } from "./stats.js";
import { confirmTunnel, parseTunnelTarget, startTls } from "./tls-front.js";

/** A request of the homeserver to another server. */
export interface OutboundRequest {
  /** The server's name as the homeserver wrote it: whether it is one of the overlay is not known yet. */
  readonly destination: string;
  /** Path and query, byte for byte; begins with "/". */
  readonly path: string;
  /** Method, raw header fields without the credential, which `checkRawHeaders` lets pass, and body. */
  readonly request: IncomingMessage;
  /** Emits `close` before `finish` where the homeserver went away. One that only ends its side, outside of a tunnel, is thought to wait. */
  readonly response: ServerResponse;
}

export interface LocalListenerOptions {
  readonly listen: ListenAddress;
  /** What the homeserver must show: see `credential.ts`. */
  readonly secret: string;
  readonly handler: (outbound: OutboundRequest) => void;
  /** True where a node is known to speak for a server whose name holds no key. Throws a `FederationError` where it must not be asked. */
  readonly isBound: (name: string) => boolean;
  /** The certificate with which a tunnel to `name` is answered. */
  readonly certificateOf: (name: string) => Promise<SecureContext>;
  /** A connection to a host of the Internet; rejects with a `FederationError`. */
  readonly connectClassic: (host: string, port: number) => Promise<Duplex>;
  readonly stats: FederationStats;
  readonly timers: Timers;
}

/** A connection of the homeserver. */
interface Connection {
  readonly socket: Socket;
  readonly hyphen: SchemeHyphen;
  /** Looks at what comes before the parser does. */
  readonly onBytes: (bytes: Buffer) => void;
  /** Since when a request's head is awaited, in ms; Infinity while an exchange is under way. */
  awaitedMs: number;
  /** Stops the clock that looks at that. */
  cancelDeadline: () => void;
  /** The right credential as it was shown last. */
  credential?: string;
  /** The server that a tunnel on it leads to. */
  tunnelTo?: string;
  /** The answer to its last request. */
  response?: ServerResponse;
}

/** A tunnel that can begin. */
interface TunnelStart {
  /** Once the homeserver was told that it stands. */
  readonly begin: (socket: Socket, connection: Connection) => void;
  /** The homeserver is gone. */
  readonly cancel: () => void;
}

/** Where a Matrix server says under which name and port it is served. */
const WELL_KNOWN_PATH = "/.well-known/matrix/server";

/**
 * Where the homeserver hands over its federation: an HTTP/1.1 proxy on a TCP port or a Unix socket, for one homeserver, which shows a
 * credential. A connection goes through
 *
 * 1. accept: is there room?
 * 2. the first line of a request: a scheme that HTTP does not know is made one that it does
 * 3. the head of a request: the credential, the target
 * 4. a request to a server: `handler`, and after the answer the next one, where the homeserver keeps the connection; or
 * 5. CONNECT to a server with a node: TLS, and in it requests to that server, as many as come: `handler`; or
 * 6. CONNECT to another server: its bytes, both ways
 *
 * What is refused gets an answer in JSON, and is counted by its code in `stats.outboundErrors`.
 */
export class LocalListener {
  readonly #options: LocalListenerOptions;
  readonly #tcp: TcpServer;
  readonly #http: HttpServer;
  readonly #connections = new Set<Connection>();
  /** The connection of each socket that HTTP sees: its own, or that of TLS in a tunnel. */
  readonly #bySocket = new WeakMap<Duplex, Connection>();
  readonly #credential: Credential;

  private constructor(options: LocalListenerOptions) {
    this.#options = options;
    this.#credential = new Credential(options.secret);
    this.#tcp = createTcpServer({ allowHalfOpen: true, noDelay: true, highWaterMark: BODY_WAITING_BYTES }, (socket) =>
      this.#accept(socket),
    );
    this.#tcp.maxConnections = OUTBOUND_REQUESTS_MAX + REFUSALS_MAX;
    this.#tcp.on("drop", () => options.stats.connectionsRefused++);
    this.#http = newHttpServer();
    this.#http.on("request", (request, response) => this.#handleRequest(request, response));
    this.#http.on("connect", (request, socket, head) => this.#handleConnect(request, socket as Socket, head));
    this.#http.on("clientError", (error, socket) => this.#handleClientError(error, socket as Socket));
  }

  /** Listens. Rejects with the system's error, as `listenOn` does. */
  static async open(options: LocalListenerOptions): Promise<LocalListener> {
    const listener = new LocalListener(options);
    await listenOn(listener.#tcp, options.listen);
    // One that could not be accepted, for want of file descriptors: others can.
    listener.#tcp.on("error", () => options.stats.connectionsRefused++);
    return listener;
  }

  /** Where it listens. */
  address(): ListenAddress {
    return addressOf(this.#tcp, this.#options.listen);
  }

  /** Takes no more and cuts what is open. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#tcp.close(resolve));
    for (const { socket } of this.#connections) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    if (this.#connections.size >= OUTBOUND_REQUESTS_MAX && !this.#closeKept()) {
      this.#options.stats.connectionsRefused++;
      this.#refuseOn(socket, new FederationError("PINYON_BUSY", `${OUTBOUND_REQUESTS_MAX} connections are open`));
      return;
    }
    socket.setKeepAlive(true, TCP_PROBE_MS);
    const hyphen = new SchemeHyphen();
    const onBytes = (bytes: Buffer) => {
      if (!isUnderWay(connection.response)) hyphen.replaceIn(bytes);
    };
    const awaitedMs = this.#options.timers.nowMs();
    const connection: Connection = { socket, hyphen, onBytes, awaitedMs, cancelDeadline: () => {} };
    this.#connections.add(connection);
    this.#watchDeadline(connection);
    socket.once("close", () => {
      connection.cancelDeadline();
      this.#connections.delete(connection);
    });
    this.#serveHttp(socket, connection);
    // Before the parser's: who listens so also keeps the platform from reading the socket without a word.
    socket.prependListener("data", onBytes);
  }

  /** Makes room by closing the connection that waits longest for another request; false where none does. */
  #closeKept(): boolean {
    for (const connection of this.#connections) {
      if (!isKept(connection)) continue;
      this.#connections.delete(connection);
      connection.socket.destroy();
      return true;
    }
    return false;
  }

  #serveHttp(socket: Socket, connection: Connection): void {
    this.#bySocket.set(socket, connection);
    this.#http.emit("connection", socket);
  }

  /** One clock for all heads of a connection: those that come in time, as nearly all do, cost nothing. */
  #watchDeadline(connection: Connection): void {
    const { timers } = this.#options;
    const leftMs = Math.min(connection.awaitedMs - timers.nowMs(), 0) + REQUEST_HEAD_TIMEOUT_MS;
    connection.cancelDeadline = timers.after(leftMs, () => {
      if (timers.nowMs() - connection.awaitedMs < REQUEST_HEAD_TIMEOUT_MS) this.#watchDeadline(connection);
      else this.#handleLate(connection);
    });
  }

  #handleLate(connection: Connection): void {
    const { socket, tunnelTo } = connection;
    if (tunnelTo !== undefined || isKept(connection)) socket.destroy();
    else this.#refuseOn(socket, HEAD_LATE);
  }

  #handleRequest(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#bySocket.get(request.socket)!;
    const { tunnelTo } = connection;
    // Outside of tunnels a request behind another one is not looked at: the connection closes after the answer to that one.
    if (tunnelTo === undefined && isUnderWay(connection.response)) {
      connection.response.shouldKeepAlive = false;
      connection.response.once("close", () => connection.socket.destroySoon());
      return;
    }
    connection.awaitedMs = Number.POSITIVE_INFINITY;
    connection.response = response;
    connection.hyphen.restart();
    response.once("close", () => {
      if (connection.response !== response) return;
      connection.awaitedMs = this.#options.timers.nowMs();
      // Where the rest of a body may still come, no other request can be found.
      if (tunnelTo === undefined && !request.complete) connection.socket.destroySoon();
    });
    try {
      const target = tunnelTo === undefined ? this.#proxiedTarget(request) : tunnelledTarget(request, tunnelTo);
      if (isWellKnown(target, request, tunnelTo)) answerWellKnown(target, response);
      else this.#options.handler({ ...target, request, response });
    } catch (error) {
      // Outside of a tunnel whoever cannot ask is not heard any longer.
      if (tunnelTo === undefined) response.shouldKeepAlive = false;
      this.#refuse(response, federationErrorOf(error));
    }
  }

  #proxiedTarget(request: IncomingMessage): RequestTarget {
    this.#checkCredential(request, this.#bySocket.get(request.socket)!);
    checkHead(request);
    return parseTarget(request.url!);
  }

  #checkCredential(request: IncomingMessage, connection: Connection): void {
    const shown = takeCredential(request);
    if (shown === undefined) throw new FederationError("PINYON_CREDENTIAL");
    // Who shows again what it has shown on this connection learns nothing by it.
    if (shown === connection.credential) return;
    if (!this.#credential.isRight(shown)) throw new FederationError("PINYON_CREDENTIAL");
    connection.credential = shown;
  }

  async #handleConnect(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const connection = this.#bySocket.get(socket)!;
    socket.off("data", connection.onBytes);
    if (isUnderWay(connection.response)) {
      // Whatever were said now would be taken for the answer to the request before.
      this.#options.stats.outboundErrors.PINYON_HEADERS++;
      socket.destroy();
      return;
    }
    try {
      if (connection.tunnelTo !== undefined) throw new FederationError("PINYON_CONNECT_TARGET", "a tunnel in a tunnel");
      this.#checkCredential(request, connection);
      checkHead(request);
      const target = parseTunnelTarget(request.url!, this.#options.isBound);
      const start = "name" in target ? await this.#overlayTunnel(target.name) : await this.#classicTunnel(target);
      if (socket.destroyed || socket.writableEnded) return start.cancel();
      // What the client sent ahead of the answer is the beginning of TLS.
      socket.unshift(head);
      confirmTunnel(socket, request.httpVersion);
      start.begin(socket, connection);
    } catch (error) {
      this.#refuseOn(socket, federationErrorOf(error));
    }
  }

  async #overlayTunnel(name: string): Promise<TunnelStart> {
    const secureContext = await this.#options.certificateOf(name);
    const begin = (socket: Socket, connection: Connection) => {
      connection.tunnelTo = name;
      const onSecure = (secured: Socket) => this.#serveHttp(secured, connection);
      startTls(socket, { name, secureContext }, onSecure, () => this.#options.stats.tlsFailures++);
    };
    return { begin, cancel: () => {} };
  }

  async #classicTunnel({ host, port }: { host: string; port: number }): Promise<TunnelStart> {
    const { connectClassic, timers } = this.#options;
    const classic = await connectClassic(host, port);
    const begin = (socket: Socket, connection: Connection) => {
      connection.cancelDeadline();
      void join(socket, classic, TUNNEL_IDLE_MS, timers);
    };
    return { begin, cancel: () => void classic.destroy() };
  }

  /** Bytes that are no HTTP, or a connection that broke. */
  #handleClientError(error: Error & { code?: string }, socket: Socket): void {
    if (!error.code?.startsWith("HPE_")) {
      socket.destroy();
      return;
    }
    const { response } = this.#bySocket.get(socket)!;
    if (isUnderWay(response) && response.req.complete) {
      // What follows a whole request is no reason to withhold its answer; nothing more can be read here.
      response.once("close", () => socket.destroySoon());
      return;
    }
    if (isUnderWay(response) && response.headersSent) {
      // An answer that was begun goes no further; one that is whole, such as an error, arrives.
      socket.destroySoon();
      return;
    }
    const isCut = isUnderWay(response) && error.code === "HPE_INVALID_EOF_STATE";
    const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400;
    const code = isCut ? "PINYON_BODY_BROKEN" : "PINYON_HEADERS";
    this.#refuseOn(socket, new FederationError(code, error.message, { status }));
  }

  #refuse(response: ServerResponse, error: FederationError): void {
    this.#options.stats.outboundErrors[error.code]++;
    answerError(response, error);
  }

  #refuseOn(socket: Duplex, error: FederationError): void {
    if (socket.writableEnded) return;
    this.#options.stats.outboundErrors[error.code]++;
    answerErrorOn(socket, error);
  }
}

const HEAD_LATE = new FederationError("PINYON_TIMEOUT", "the head of a request was awaited", { status: 408 });

/** True while it waits for another request, of which nothing has come. */
function isKept({ response, tunnelTo, hyphen }: Connection): boolean {
  return response?.closed === true && tunnelTo === undefined && hyphen.isAtStart;
}

function isUnderWay(response: ServerResponse | undefined): response is ServerResponse {
  return response !== undefined && !response.closed;
}

/**
 * In HTTP/1.0 an answer may end with the connection, and one that breaks off would look whole. The answer to CONNECT has no body, and
 * Synapse asks for tunnels so.
 */
function checkHead({ rawHeaders, method, httpVersion }: IncomingMessage): void {
  checkRawHeaders(rawHeaders);
  const isFit = httpVersion === "1.1" || (method === "CONNECT" && httpVersion === "1.0");
  if (!isFit) throw new FederationError("PINYON_HEADERS", "expected HTTP/1.1");
}

/** In a tunnel a request names the path alone, and its head the server that the tunnel leads to, with or without a port. */
function tunnelledTarget(request: IncomingMessage, name: string): RequestTarget {
  checkHead(request);
  const path = request.url!;
  const [host, ...more] = headerValues(request.rawHeaders, "host");
  const isNamed = host === name || [...TLS_PORTS].some((port) => host === `${name}:${port}`);
  if (!isNamed || more.length > 0) throw new FederationError("PINYON_DESTINATION", `this tunnel leads to ${name}`);
  if (!/^\/[^#]*$/.test(path))
    throw new FederationError("PINYON_HEADERS", "expected a target that begins with a slash");
  return { destination: name, path };
}

/** At the end of a tunnel it is this node that answers for the name. */
function isWellKnown(
  { destination, path }: RequestTarget,
  { method }: IncomingMessage,
  tunnelTo: string | undefined,
): boolean {
  return method === "GET" && path === WELL_KNOWN_PATH && (tunnelTo !== undefined || isServerName(destination));
}

/** With the port stated, nobody asks DNS for one: it does not know these names. */
function answerWellKnown({ destination }: RequestTarget, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ "m.server": `${destination}:8448` }));
}

/** The platform's HTTP, strict, with the bounds of federation, and nothing left to it that this listener answers itself. */
function newHttpServer(): HttpServer {
  const server = createServer({ maxHeaderSize: HEAD_BYTES_MAX, insecureHTTPParser: false, requireHostHeader: false });
  // One field more than may be, so that too many are seen to be: the platform drops those over its bound without a word.
  server.maxHeadersCount = HEAD_FIELDS_MAX + 1;
  // Times are limited here: the platform looks at its own limits only where it listens itself.
  server.keepAliveTimeout = 0;
  // A homeserver may end its side once it has asked.
  Object.assign(server, { httpAllowHalfOpen: true });
  return server;
}
