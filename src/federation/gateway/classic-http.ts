import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type SecureContext, TLSSocket } from "node:tls";
import { answerError, answerErrorOn } from "../answer-error.js";
import { HEAD_BYTES_MAX, HEAD_FIELDS_MAX, REQUEST_HEAD_TIMEOUT_MS } from "../config.js";
import { type FederationCode, FederationError, federationErrorOf } from "../errors.js";
import { checkRawHeaders, headerValues } from "../headers.js";
import type { Timers } from "../overlay.js";
import { TLS_PORTS } from "../request-line.js";
import { CLASSIC_IDLE_MAX, CLASSIC_REQUESTS_MAX } from "./config.js";

/** A connection of a classic server, and who it is for. */
export interface ClassicConnection {
  /** The bytes of TLS. */
  readonly stream: Duplex;
  /** The server that is asked: requests for another are refused. */
  readonly name: string;
  readonly secureContext: SecureContext;
  /** Takes each request whose head has one meaning. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
}

export interface ClassicHttpOptions {
  /** Counts what is refused here. */
  readonly errors: Record<FederationCode, number>;
  readonly timers: Timers;
}

interface Open extends ClassicConnection {
  /** Its requests that are not answered. */
  open: number;
  /** Stops the wait for a request's head. */
  cancelDeadline: () => void;
}

const WELL_KNOWN_PATH = "/.well-known/matrix/server";

/**
 * Where the TLS of classic servers ends, and HTTP/1.1 in it. Every classic server speaks that, and Synapse nothing else: HTTP/2 is not
 * offered, so that a head is never read by two grammars before it is judged.
 */
export class ClassicHttp {
  readonly #options: ClassicHttpOptions;
  readonly #http: HttpServer;
  readonly #connections = new WeakMap<Duplex, Open>();
  readonly #open = new Set<Duplex>();
  /** Those that wait for a request, the one that waits longest first. */
  readonly #idle = new Set<Open>();

  constructor(options: ClassicHttpOptions) {
    this.#options = options;
    this.#http = createServer({ maxHeaderSize: HEAD_BYTES_MAX, insecureHTTPParser: false });
    this.#http.maxHeadersCount = HEAD_FIELDS_MAX + 1;
    // Times are limited here: the platform looks at its own limits only where it listens itself.
    this.#http.keepAliveTimeout = 0;
    this.#http.on("request", (request, response) => this.#handleRequest(request, response));
    this.#http.on("clientError", (error: NodeJS.ErrnoException, socket) => this.#handleClientError(error, socket));
    this.#http.on("connect", (_request, socket) => socket.destroy());
    this.#http.on("upgrade", (_request, socket) => socket.destroy());
  }

  /** Answers on a connection until it ends. */
  serve(connection: ClassicConnection): void {
    const { stream, secureContext } = connection;
    const open: Open = { ...connection, open: 0, cancelDeadline: () => {} };
    const secured = new TLSSocket(stream as Socket, {
      isServer: true,
      secureContext,
      ALPNProtocols: ["http/1.1"],
    });
    this.#open.add(stream);
    this.#awaitHead(open);
    secured.on("error", () => stream.destroy());
    secured.once("secure", () => {
      this.#connections.set(secured, open);
      this.#http.emit("connection", secured);
    });
    stream.once("close", () => {
      this.#endWait(open);
      this.#open.delete(stream);
      secured.destroy();
    });
  }

  stop(): void {
    for (const stream of this.#open) stream.destroy();
    this.#http.close();
  }

  /** A handshake, and each request's head, must come in time; where too many wait, the one that does longest is let go. */
  #awaitHead(connection: Open): void {
    this.#idle.add(connection);
    connection.cancelDeadline = this.#options.timers.after(REQUEST_HEAD_TIMEOUT_MS, () => connection.stream.destroy());
    if (this.#idle.size <= CLASSIC_IDLE_MAX) return;
    const [longest] = this.#idle;
    longest!.stream.destroy();
  }

  #endWait(connection: Open): void {
    connection.cancelDeadline();
    this.#idle.delete(connection);
  }

  #handleRequest(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket)!;
    const { name, handle } = connection;
    this.#endWait(connection);
    connection.open++;
    response.once("close", () => {
      if (--connection.open === 0 && !connection.stream.destroyed) this.#awaitHead(connection);
    });
    try {
      if (connection.open > CLASSIC_REQUESTS_MAX) throw new FederationError("PINYON_BUSY");
      checkHead(request, name);
    } catch (thrown) {
      const error = federationErrorOf(thrown);
      this.#options.errors[error.code]++;
      answerError(response, error);
      return;
    }
    if (request.method === "GET" && request.url === WELL_KNOWN_PATH) {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ "m.server": `${name}:443` }));
      return;
    }
    handle(request, response);
  }

  /** What the platform's parser refuses: two lengths, a folded line and whatever else two readers may read in two ways. */
  #handleClientError({ code }: NodeJS.ErrnoException, socket: Duplex): void {
    const isHead = this.#connections.get(socket)?.open === 0;
    // What breaks in a body is the end of its request, and no other answer may be taken to go on with that one's.
    if (!isHead || !code?.startsWith("HPE_")) {
      (socket as Socket).destroySoon();
      return;
    }
    this.#options.errors.PINYON_HEADERS++;
    answerErrorOn(socket, new FederationError("PINYON_HEADERS", code));
  }
}

function checkHead({ rawHeaders, httpVersion }: IncomingMessage, name: string): void {
  checkRawHeaders(rawHeaders);
  if (httpVersion !== "1.1") throw new FederationError("PINYON_HEADERS", "expected HTTP/1.1");
  const [host] = headerValues(rawHeaders, "host");
  const isOurs = host === name || [...TLS_PORTS].some((port) => host === `${name}:${port}`);
  if (!isOurs) throw new FederationError("PINYON_DESTINATION", `asked for ${host}, this is ${name}`);
}
