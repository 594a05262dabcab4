import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import type { HostPort } from "./host-port.js";
import { METRICS_CLIENTS_MAX, METRICS_HEADER_BYTES_MAX } from "./limits.js";
import type { Log } from "./logs.js";

const TEXT = "text/plain; charset=utf-8";
const PATHS = "/metrics for Prometheus, /healthz for a supervisor\n";

/** Serves `/metrics` and `/healthz`. Whoever reaches it may read it, so it listens on loopback unless told otherwise. */
export class MetricsServer {
  readonly #server: Server;

  constructor(
    private readonly registry: Registry,
    private readonly log: Log,
  ) {
    this.#server = createServer({ maxHeaderSize: METRICS_HEADER_BYTES_MAX, requestTimeout: 10_000 });
    this.#server.maxConnections = METRICS_CLIENTS_MAX;
    this.#server.on("request", (request, response) => {
      if (request.method !== "GET" && request.method !== "HEAD") return answer(response, 405, TEXT, PATHS);
      switch (request.url?.split("?")[0]) {
        case "/metrics":
          return void this.#answerMetrics(response);
        case "/healthz":
          return answer(response, 200, TEXT, "ok\n");
        default:
          return answer(response, 404, TEXT, PATHS);
      }
    });
  }

  /** Rejects with the system's error. */
  async listen({ host, port }: HostPort): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject).listen({ host, port }, resolve);
    });
  }

  address(): HostPort {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answerMetrics(response: ServerResponse): Promise<void> {
    try {
      answer(response, 200, this.registry.contentType, await this.registry.metrics());
    } catch (error) {
      this.log.error({ err: error }, "the metrics cannot be read");
      answer(response, 500, TEXT, "the metrics cannot be read: see the log\n");
    }
  }
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(response.req.method === "HEAD" ? undefined : body);
}
