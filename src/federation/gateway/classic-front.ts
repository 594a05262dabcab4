import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { ReadCertificate, ServedCertificate } from "../certificates/served-certificate.js";
import { FederationError, federationErrorOf } from "../errors.js";
import { http2Question } from "../http2.js";
import type { Inbound } from "../inbound.js";
import type { RemoteNode, Timers } from "../overlay.js";
import type { FederationStats } from "../stats.js";
import { ClassicHttp } from "./classic-http.js";

/** How classic servers come to this node. */
export interface FrontRules {
  /** Keys in hex of the gateways that may bring them. */
  readonly gateways: ReadonlySet<string>;
  /** For this node's name; undefined: the gateways end TLS in its place. */
  readonly certificate: ReadCertificate | undefined;
}

export interface FrontOptions {
  /** This node's server name. */
  readonly name: string;
  /** Keys in hex of the gateways that may bring classic servers. */
  readonly gateways: ReadonlySet<string>;
  /** Undefined: the gateways end TLS. */
  readonly certificate: ServedCertificate | undefined;
  readonly inbound: Inbound;
  readonly stats: FederationStats;
  readonly timers: Timers;
}

/**
 * Where classic servers arrive that a gateway brought: the end of their TLS, with this node's own certificate. The gateway holds no key of
 * it, and so can neither read nor speak in their place.
 */
export class ClassicFront {
  readonly #options: FrontOptions;
  readonly #http: ClassicHttp;

  constructor(options: FrontOptions) {
    const { stats, timers } = options;
    this.#options = options;
    this.#http = new ClassicHttp({ errors: stats.inboundErrors, timers });
  }

  /** A gateway brings a connection. */
  async handle(remote: RemoteNode, stream: ServerHttp2Stream): Promise<void> {
    try {
      await this.#serve(Buffer.from(remote.key).toString("hex"), stream);
    } catch (thrown) {
      const error = federationErrorOf(thrown);
      this.#options.stats.inboundErrors[error.code]++;
      http2Question(stream).fail(error);
    }
  }

  stop(): void {
    this.#http.stop();
  }

  async #serve(gateway: string, stream: ServerHttp2Stream): Promise<void> {
    const { name, gateways, certificate, inbound } = this.#options;
    if (!gateways.has(gateway)) throw new FederationError("PINYON_GATEWAY_FORBIDDEN");
    if (certificate === undefined) throw new FederationError("PINYON_GATEWAY_TERMINATE");
    const secureContext = await certificate.context();
    if (stream.destroyed || stream.closed) return;
    stream.respond({ ":status": 200 });
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      void inbound.handleClassic(gateway, request, response);
    };
    this.#http.serve({ stream, name, secureContext, handle });
  }
}
