import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { nameToKey } from "../../wire/name.js";
import type { ServedCertificate } from "../certificates/served-certificate.js";
import { FederationError, federationErrorOf } from "../errors.js";
import { exchange } from "../exchange.js";
import { headerValues, passRequestHeaders, passResponseHeaders } from "../headers.js";
import { http1Question } from "../http1.js";
import { http2Passage } from "../http2.js";
import type { FederationOverlay, Timers } from "../overlay.js";
import type { FederationStats } from "../stats.js";
import { formatXMatrix } from "../x-matrix.js";
import { ClassicHttp } from "./classic-http.js";
import { CLASSIC_HEADER, checkClassic } from "./classic-request.js";

export interface TerminatorOptions {
  /** For every name below the gateway's domain. */
  readonly certificate: ServedCertificate;
  readonly overlay: FederationOverlay;
  readonly stats: FederationStats;
  readonly timers: Timers;
  readonly onFault: (error: unknown) => void;
}

/**
 * Ends the TLS of classic servers in place of nodes that have no certificate and let this gateway do so. Each request goes to its node on
 * the session with it, which says what it is and by its key from whom; the node judges it again.
 */
export class Terminator {
  readonly #options: TerminatorOptions;
  readonly #http: ClassicHttp;

  constructor(options: TerminatorOptions) {
    const { stats, timers } = options;
    this.#options = options;
    this.#http = new ClassicHttp({ errors: stats.gatewayErrors, timers });
  }

  /**
   * Takes a connection for a server; resolves when it has ended. It is cut where `mayPass`, told now and then of the bytes that passed in it,
   * says no.
   */
  async serve(socket: Socket, name: string, mayPass: (sizeBytes: number) => boolean): Promise<void> {
    const secureContext = await this.#options.certificate.context();
    if (secureContext === undefined) throw new FederationError("PINYON_CERTIFICATE");
    if (socket.destroyed) return;
    let countedBytes = 0;
    const count = () => {
      const sizeBytes = socket.bytesRead + socket.bytesWritten - countedBytes;
      countedBytes += sizeBytes;
      if (!mayPass(sizeBytes)) socket.destroy();
    };
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      void this.#pass(name, request, response, count);
    };
    this.#http.serve({ stream: socket, name, secureContext, handle });
    await closed;
    count();
  }

  stop(): void {
    this.#http.stop();
  }

  async #pass(name: string, request: IncomingMessage, response: ServerResponse, onPassed: () => void): Promise<void> {
    const { overlay, stats, timers, onFault } = this.#options;
    const question = http1Question(request, response);
    stats.gatewayRequests++;
    try {
      const { method = "", url: path = "", rawHeaders } = request;
      const { signatures } = checkClassic(name, method, path, headerValues(rawHeaders, "authorization"));
      const signed = signatures.length === 0 ? {} : { "x-matrix": signatures.map(formatXMatrix) };
      const headers = { ...passRequestHeaders(rawHeaders), ...signed, [CLASSIC_HEADER]: "1" };
      const remote = await overlay.connect(nameToKey(name)!);
      const passage = http2Passage(remote, name, { method, path, headers, hasBody: question.hasBody });
      request.on("data", onPassed);
      passage.answer.then(({ body }) => body.on("data", onPassed)).catch(() => {});
      await exchange(question, passage, passResponseHeaders, timers);
    } catch (thrown) {
      const error = federationErrorOf(thrown);
      stats.gatewayErrors[error.code]++;
      if (error.code === "PINYON_INTERNAL") onFault(thrown);
      question.fail(error);
    }
  }
}
