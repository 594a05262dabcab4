import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContext } from "node:tls";
import { answerError, answerErrorOn } from "./answer-error.js";
import {
  HEAD_BYTES_MAX,
  HEAD_FIELDS_MAX,
  OUTBOUND_REQUESTS_MAX,
  REFUSALS_MAX,
  REQUEST_HEAD_TIMEOUT_MS,
  TCP_PROBE_MS,
} from "./config.js";
import { takeCredential } from "./credential.js";
import { FederationError, federationErrorOf } from "./errors.js";
import { addressOf, type ListenAddress, listenOn } from "./listen-address.js";
import type { Timers } from "./overlay.js";
import { parseTarget, readFirstBytes } from "./request-line.js";
import type { FederationStats } from "./stats.js";

/** A request of the homeserver to another server. */
export interface OutboundRequest {
  /** The server's name as the homeserver wrote it, without port: whether it is one of the overlay is not known yet. */
  readonly destination: string;
  /** Path and query, byte for byte; begins with "/". */
  readonly path: string;
  /** Method, raw header fields without the credential, and body. The fields are at most `HEAD_FIELDS_MAX`. */
  readonly request: IncomingMessage;
  /** Emits `close` before `finish` where the homeserver went away. */
  readonly response: ServerResponse;
}

export interface LocalListenerOptions {
  readonly listen: ListenAddress;
  /** What the homeserver must show: see `credential.ts`. */
  readonly secret: string;
  readonly handler: (outbound: OutboundRequest) => void;
  /** The certificate with which a tunnel to `name` is answered. */
  readonly certificateOf: (name: string) => Promise<SecureContext>;
  readonly stats: FederationStats;
  readonly timers: Timers;
}

/** A connection of the homeserver. */
interface Connection {
  readonly socket: Socket;
  /** Stops the wait for a request's head. */
  cancelDeadline: () => void;
  /** The answer to its request to this listener as a proxy: there is one alone. */
  proxied?: ServerResponse;
}

/**
 * Where the homeserver hands over its federation: an HTTP/1.1 proxy on a TCP port or a Unix socket, for one homeserver, which shows a
 * credential. A connection goes through
 *
 * 1. accept: is there room?
 * 2. the first bytes: a scheme that HTTP does not know is made one that it does
 * 3. the head of a request: the credential, the target
 * 4. a request to a server: `handler`, and the connection closes after the answer
 *
 * What is refused gets an answer in JSON, and is counted by its code in `stats.outboundErrors`.
 */
export class LocalListener {
  readonly #options: LocalListenerOptions;
  readonly #tcp: TcpServer;
  readonly #http: HttpServer;
  /** By the socket that HTTP sees. */
  readonly #connections = new Map<Duplex, Connection>();

  private constructor(options: LocalListenerOptions) {
    this.#options = options;
    this.#tcp = createTcpServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    this.#tcp.maxConnections = OUTBOUND_REQUESTS_MAX + REFUSALS_MAX;
    this.#tcp.on("drop", () => options.stats.connectionsRefused++);
    this.#http = newHttpServer();
    this.#http.on("request", (request, response) => this.#handleRequest(request, response));
    this.#http.on("clientError", (error, socket) => this.#handleClientError(error, socket));
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
    for (const { socket } of this.#connections.values()) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    if (this.#connections.size >= OUTBOUND_REQUESTS_MAX) {
      this.#options.stats.connectionsRefused++;
      this.#refuseOn(socket, new FederationError("PINYON_BUSY", `${OUTBOUND_REQUESTS_MAX} connections are open`));
      return;
    }
    socket.setKeepAlive(true, TCP_PROBE_MS);
    const connection: Connection = { socket, cancelDeadline: () => {} };
    this.#connections.set(socket, connection);
    this.#awaitHead(connection);
    socket.once("close", () => {
      connection.cancelDeadline();
      this.#connections.delete(socket);
    });
    readFirstBytes(socket, () => {
      this.#http.emit("connection", socket);
      socket.resume();
    });
  }

  #awaitHead(connection: Connection): void {
    connection.cancelDeadline = this.#options.timers.after(REQUEST_HEAD_TIMEOUT_MS, () => {
      const { socket } = connection;
      this.#refuseOn(
        socket,
        new FederationError("PINYON_TIMEOUT", "the head of a request was awaited", { status: 408 }),
      );
    });
  }

  #handleRequest(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    // A request behind one that is under way is not looked at: the connection closes after the answer to that one.
    if (connection === undefined || connection.proxied !== undefined) return;
    connection.cancelDeadline();
    connection.proxied = response;
    response.shouldKeepAlive = false;
    try {
      this.#checkHead(request);
      this.#options.handler({ ...parseTarget(request.url ?? ""), request, response });
    } catch (error) {
      this.#refuse(response, federationErrorOf(error));
    }
  }

  #checkHead(request: IncomingMessage): void {
    if (!takeCredential(request, this.#options.secret)) throw new FederationError("PINYON_CREDENTIAL");
    const fieldCount = request.rawHeaders.length / 2;
    if (fieldCount > HEAD_FIELDS_MAX)
      throw new FederationError("PINYON_HEADERS", `more than ${HEAD_FIELDS_MAX} fields`);
    const coding = request.headers["transfer-encoding"];
    // The parser lets such a head pass and refuses the body.
    if (coding !== undefined && coding.toLowerCase() !== "chunked") throw new FederationError("PINYON_HEADERS", coding);
    if (request.httpVersionMajor !== 1) throw new FederationError("PINYON_HEADERS", "not HTTP/1.1");
  }

  /** Bytes that are no HTTP, or a connection that broke. */
  #handleClientError(error: Error & { code?: string }, socket: Duplex): void {
    const response = this.#connections.get(socket)?.proxied;
    // What follows a whole request is nothing to wait for, and no reason to withhold its answer.
    if (response?.req.complete && !socket.destroyed) return;
    if (!error.code?.startsWith("HPE_")) {
      socket.destroy();
      return;
    }
    if (response?.headersSent) {
      // An answer that was begun goes no further; one that is whole, such as an error, arrives.
      (socket as Socket).destroySoon();
      return;
    }
    const isCut = error.code === "HPE_INVALID_EOF_STATE" && response !== undefined;
    const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400;
    this.#refuseOn(
      socket,
      new FederationError(isCut ? "PINYON_BODY_BROKEN" : "PINYON_HEADERS", error.message, { status }),
    );
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
