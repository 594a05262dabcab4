import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { ACME_PROTOCOL, type TlsChallenger } from "../certificates/challenges.js";
import type { CertificateSource, ServedCertificate } from "../certificates/served-certificate.js";
import { awaitClientHello } from "../client-hello.js";
import { CLIENT_HELLO_TIMEOUT_MS } from "../config.js";
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
  readonly certificate: CertificateSource | undefined;
}

export interface FrontOptions {
  /** This node's server name. */
  readonly name: string;
  /** Keys in hex of the gateways that may bring classic servers. */
  readonly gateways: ReadonlySet<string>;
  /** Undefined: the gateways end TLS. */
  readonly certificate: ServedCertificate | undefined;
  readonly challenger: TlsChallenger;
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
    const { name, gateways, certificate, challenger, inbound } = this.#options;
    if (!gateways.has(gateway)) throw new FederationError("PINYON_GATEWAY_FORBIDDEN");
    if (certificate === undefined) throw new FederationError("PINYON_GATEWAY_TERMINATE");
    const secureContext = await certificate.context();
    const isAwaited = challenger.context !== undefined;
    if (secureContext === undefined && !isAwaited) throw new FederationError("PINYON_CERTIFICATE");
    if (stream.destroyed || stream.closed) return;
    stream.respond({ ":status": 200 });
    if (isAwaited && (await this.#answerAuthority(stream))) return;
    if (secureContext === undefined) throw new FederationError("PINYON_CERTIFICATE");
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      void inbound.handleClassic(gateway, request, response);
    };
    this.#http.serve({ stream, name, secureContext, handle });
  }

  /** While a challenge is under way, an authority may ask for it in TLS and is shown that alone (RFC 8737). True where it did. */
  async #answerAuthority(stream: ServerHttp2Stream): Promise<boolean> {
    const { name, challenger, timers } = this.#options;
    const hello = await awaitClientHello(stream, timers);
    const { context } = challenger;
    const isAsked = hello?.serverName === name && hello.protocols.includes(ACME_PROTOCOL);
    if (!isAsked || context === undefined) return false;
    const shown = new TLSSocket(stream as unknown as Socket, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: [ACME_PROTOCOL],
    });
    const cancel = timers.after(CLIENT_HELLO_TIMEOUT_MS, () => stream.destroy());
    shown.on("error", () => stream.destroy());
    shown.once("secure", () => shown.end());
    stream.once("close", () => {
      cancel();
      shown.destroy();
    });
    return true;
  }
}
