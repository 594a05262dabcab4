import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestOptions,
  request,
  type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import { answerError, endUnlessWhole, hasBody } from "./answer-error.js";
import { FederationError } from "./errors.js";
import { type Answer, bodyError, type Passage, type Question, type RequestHead } from "./exchange.js";

/** A request that a homeserver made over HTTP/1.1. */
export function http1Question(incoming: IncomingMessage, response: ServerResponse): Question {
  const { headers } = incoming;
  // The homeserver may go while it is answered; `close` follows.
  response.on("error", () => {});
  return {
    hasBody: hasBody(headers),
    bodyBytes: Number(headers["content-length"]),
    body: incoming,
    answer(status, answerHeaders) {
      endUnlessWhole(response);
      response.writeHead(status, answerHeaders);
      return response;
    },
    fail: (error) => answerError(response, error),
    closed: new Promise((resolve) => response.once("close", () => resolve(response.writableFinished))),
  };
}

/** The connection on which a homeserver is asked, or who makes one. */
export type Http1Way = Pick<RequestOptions, "agent" | "createConnection" | "host" | "port" | "socketPath">;

/** A request to a homeserver over HTTP/1.1. */
export function http1Passage(way: Http1Way, head: RequestHead): Passage {
  const { method, path } = head;
  return new Http1Passage(request({ ...way, method, path, headers: framed(head) }));
}

class Http1Passage implements Passage {
  readonly body: ClientRequest;
  readonly answer: Promise<Answer>;
  #incoming: IncomingMessage | undefined;
  #refuse!: (error: FederationError) => void;

  constructor(outgoing: ClientRequest) {
    this.body = outgoing;
    this.answer = new Promise((resolve, reject) => {
      this.#refuse = reject;
      outgoing.once("response", (incoming) => {
        this.#incoming = incoming;
        const { statusCode = 0, rawHeaders } = incoming;
        if (isFinalStatus(statusCode)) resolve({ status: statusCode, rawHeaders, body: incoming });
        else this.destroy(new FederationError("PINYON_HOMESERVER_ANSWER", `status ${statusCode}`));
      });
    });
    this.answer.catch(() => {});
    outgoing.setNoDelay(true);
    outgoing.on("error", (error) => this.#handleError(error));
    outgoing.once("upgrade", (_incoming, socket: Duplex) => {
      socket.destroy();
      this.destroy(new FederationError("PINYON_HOMESERVER_ANSWER", "another protocol"));
    });
  }

  destroy(error: FederationError): void {
    // A request that waits for a connection would tell its end no sooner than it has one.
    this.#refuse(error);
    // The platform gives an answer up by reading it to its end: what was not read yet would be missing from a body that looks whole.
    this.#incoming?.destroy(error);
    this.body.destroy(error);
  }

  #handleError(error: Error & { syscall?: string }): void {
    this.#refuse(homeserverError(error));
    // Where the end of the connection is that of the body, a connection that broke is no end. A whole answer stays one.
    if (this.#incoming?.complete === false) this.#incoming.destroy(bodyError(error));
  }
}

/**
 * The end of a body must be said. Where the head does not, the platform writes that of a GET bare, and the homeserver reads it as the next
 * request of the connection: one that nobody checked.
 */
function framed({ headers, hasBody }: RequestHead): OutgoingHttpHeaders {
  return hasBody && headers["content-length"] === undefined ? { ...headers, "transfer-encoding": "chunked" } : headers;
}

/** True for a status that ends an exchange and is one of HTTP (RFC 9110, section 15). */
export function isFinalStatus(status: number): boolean {
  return status >= 200 && status <= 599;
}

/** One request that goes wrong says nothing of the next one; a connection that cannot be made does. */
function homeserverError(error: Error & { syscall?: string; code?: string }): FederationError {
  if (error instanceof FederationError) return error;
  const isDown = error.syscall === "connect" || error.syscall === "getaddrinfo";
  // Not the message: it would tell other nodes where the homeserver listens.
  return new FederationError(isDown ? "PINYON_HOMESERVER" : "PINYON_HOMESERVER_ANSWER", error.code, { cause: error });
}
