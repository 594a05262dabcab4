import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { DEFAULT_METRICS } from "./config.js";
import { formatHostPort, type HostPort } from "./host-port.js";
import { METRICS_CLIENTS_MAX, METRICS_HEADER_BYTES_MAX } from "./limits.js";
import { firstFree, listenError } from "./listeners.js";
import type { Log } from "./logs.js";

const TEXT = "text/plain; charset=utf-8";
const PATHS = "/metrics for Prometheus, /healthz for a supervisor\n";

/** Serves `/metrics` and `/healthz`. Whoever reaches it may read it, so it listens on loopback unless told otherwise. */
export class MetricsServer {
  readonly #server: Server;

  private constructor(
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

  /** Listens on an address, or on the default one or the next free port. Throws `PINYON_LISTEN`. */
  static async open(registry: Registry, address: HostPort | undefined, log: Log): Promise<MetricsServer> {
    const server = new MetricsServer(registry, log);
    if (address === undefined) {
      const { host, port } = DEFAULT_METRICS;
      await firstFree(port, "metrics.listen", (free) => server.#listen({ host, port: free }));
    } else {
      await server.#listen(address).catch((error: unknown) => {
        throw listenError(error, formatHostPort(address), "metrics.listen");
      });
    }
    return server;
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

  #listen({ host, port }: HostPort): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject).listen({ host, port }, () => {
        this.#server.removeListener("error", reject);
        resolve();
      });
    });
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
