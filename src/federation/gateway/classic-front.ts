import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { answerError } from "../answer-error.js";
import { HEAD_BYTES_MAX, HEAD_FIELDS_MAX, REQUEST_HEAD_TIMEOUT_MS } from "../config.js";
import { FederationError, federationErrorOf } from "../errors.js";
import { checkRawHeaders, headerValues } from "../headers.js";
import { http2Question } from "../http2.js";
import type { Inbound } from "../inbound.js";
import type { RemoteNode, Timers } from "../overlay.js";
import { TLS_PORTS } from "../request-line.js";
import type { FederationStats } from "../stats.js";
import { CERTIFICATE_KEPT_MS } from "./config.js";

/** What this node shows to classic servers, and by whom they come. */
export interface FrontRules {
  /** Keys in hex of the gateways that may bring them. */
  readonly gateways: ReadonlySet<string>;
  /** Reads the certificate for this node's name, which may have been renewed. */
  readonly read: () => Promise<CertifiedKey>;
}

/** A certificate with those of its authorities, and its key, in PEM. */
export interface CertifiedKey {
  readonly certificate: string;
  readonly key: string;
}

export interface FrontOptions {
  /** This node's server name. */
  readonly name: string;
  /** Undefined: nobody is taken. */
  readonly rules: FrontRules | undefined;
  readonly inbound: Inbound;
  readonly stats: FederationStats;
  readonly timers: Timers;
}

/** A connection of a classic server. */
interface Connection {
  readonly stream: ServerHttp2Stream;
  /** The key of the gateway that brought it, in hex. */
  readonly gateway: string;
  /** Its requests that are not answered. */
  open: number;
  /** Stops the wait for a request's head. */
  cancelDeadline: () => void;
}

const WELL_KNOWN_PATH = "/.well-known/matrix/server";

/**
 * Where classic servers arrive that a gateway brought: the end of their TLS, with this node's own certificate, and HTTP/1.1 in it. The
 * gateway holds no key of it, and so can neither read nor speak in their place.
 */
export class ClassicFront {
  readonly #options: FrontOptions;
  #context: SecureContext | undefined;
  #readMs = 0;
  readonly #http: HttpServer;
  readonly #connections = new WeakMap<Duplex, Connection>();
  readonly #open = new Set<Duplex>();

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#http = createServer({ maxHeaderSize: HEAD_BYTES_MAX, insecureHTTPParser: false });
    this.#http.maxHeadersCount = HEAD_FIELDS_MAX + 1;
    // Times are limited here: the platform looks at its own limits only where it listens itself.
    this.#http.keepAliveTimeout = 0;
    this.#http.on("request", (request, response) => this.#handleRequest(request, response));
    this.#http.on("clientError", (_error, socket) => socket.destroy());
    this.#http.on("connect", (_request, socket) => socket.destroy());
    this.#http.on("upgrade", (_request, socket) => socket.destroy());
  }

  /** Reads the certificate for the first time. Rejects where it cannot be read or used. */
  async start(): Promise<void> {
    if (this.#options.rules !== undefined) this.#context = await this.#read(this.#options.rules);
  }

  /** A gateway brings a connection. */
  async handle(remote: RemoteNode, stream: ServerHttp2Stream): Promise<void> {
    const { rules, stats } = this.#options;
    const gateway = Buffer.from(remote.key).toString("hex");
    if (rules === undefined || !rules.gateways.has(gateway)) {
      const error = new FederationError("PINYON_GATEWAY_FORBIDDEN");
      stats.inboundErrors[error.code]++;
      http2Question(stream).fail(error);
      return;
    }
    this.#open.add(stream);
    stream.once("close", () => this.#open.delete(stream));
    await this.#renew(rules);
    if (stream.destroyed || stream.closed) return;
    stream.respond({ ":status": 200 });
    this.#startTls(stream, gateway);
  }

  async #read({ read }: FrontRules): Promise<SecureContext> {
    const { certificate, key } = await read();
    this.#readMs = this.#options.timers.nowMs();
    return createSecureContext({ cert: certificate, key, minVersion: "TLSv1.2" });
  }

  /** One that cannot be read or used, as it is being written, leaves the old one in place. */
  async #renew(rules: FrontRules): Promise<void> {
    const { stats, timers } = this.#options;
    const nowMs = timers.nowMs();
    if (nowMs - this.#readMs < CERTIFICATE_KEPT_MS) return;
    this.#readMs = nowMs;
    try {
      this.#context = await this.#read(rules);
    } catch {
      stats.certificateFailures++;
    }
  }

  #startTls(stream: ServerHttp2Stream, gateway: string): void {
    const connection: Connection = { stream, gateway, open: 0, cancelDeadline: () => {} };
    const secured = new TLSSocket(stream as unknown as Socket, {
      isServer: true,
      secureContext: this.#context!,
      ALPNProtocols: ["http/1.1"],
    });
    this.#awaitHead(connection);
    secured.on("error", () => stream.destroy());
    secured.once("secure", () => {
      this.#connections.set(secured, connection);
      this.#http.emit("connection", secured);
    });
    stream.once("close", () => {
      connection.cancelDeadline();
      secured.destroy();
    });
  }

  /** A handshake, and each request's head, must come in time. */
  #awaitHead(connection: Connection): void {
    const { stream } = connection;
    connection.cancelDeadline = this.#options.timers.after(REQUEST_HEAD_TIMEOUT_MS, () => stream.destroy());
  }

  stop(): void {
    for (const stream of this.#open) stream.destroy();
    this.#http.close();
  }

  #handleRequest(request: IncomingMessage, response: ServerResponse): void {
    const { name, inbound, stats } = this.#options;
    const connection = this.#connections.get(request.socket)!;
    connection.cancelDeadline();
    connection.open++;
    response.once("close", () => {
      if (--connection.open === 0 && !connection.stream.destroyed) this.#awaitHead(connection);
    });
    try {
      checkRawHeaders(request.rawHeaders);
      if (request.httpVersion !== "1.1") throw new FederationError("PINYON_HEADERS", "expected HTTP/1.1");
      const [host] = headerValues(request.rawHeaders, "host");
      const isOurs = host === name || [...TLS_PORTS].some((port) => host === `${name}:${port}`);
      if (!isOurs) throw new FederationError("PINYON_DESTINATION", `asked for ${host}, this is ${name}`);
    } catch (thrown) {
      const error = federationErrorOf(thrown);
      stats.inboundErrors[error.code]++;
      answerError(response, error);
      return;
    }
    if (request.method === "GET" && request.url === WELL_KNOWN_PATH) {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ "m.server": `${name}:443` }));
      return;
    }
    void inbound.handleClassic(connection.gateway, request, response);
  }
}
