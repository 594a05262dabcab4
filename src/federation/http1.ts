import { type Agent, type ClientRequest, type IncomingMessage, request, type ServerResponse } from "node:http";
import { answerError } from "./answer-error.js";
import { FederationError } from "./errors.js";
import type { Answer, Passage, Question, RequestHead } from "./exchange.js";

/** A request that a homeserver made over HTTP/1.1. */
export function http1Question(incoming: IncomingMessage, response: ServerResponse): Question {
  const { headers } = incoming;
  return {
    hasBody: headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined,
    body: incoming,
    answer(status, answerHeaders) {
      response.writeHead(status, answerHeaders);
      return response;
    },
    fail: (error) => answerError(response, error),
    closed: new Promise((resolve) => response.once("close", () => resolve(response.writableFinished))),
  };
}

/** Where a homeserver listens. */
export type HttpAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** A request to a homeserver over HTTP/1.1. */
export function http1Passage(address: HttpAddress, agent: Agent, head: RequestHead): Passage {
  const { method, path } = head;
  const where = "path" in address ? { socketPath: address.path } : address;
  const outgoing = request({ ...where, agent, method, path, headers: framed(head) });
  outgoing.setNoDelay(true);
  return { body: outgoing, answer: answerOf(outgoing), destroy: (error) => void outgoing.destroy(error) };
}

/** The platform writes the body of a GET bare where nothing says its length: the homeserver would read it as its next request. */
function framed({ headers, hasBody }: RequestHead): RequestHead["headers"] {
  return hasBody && headers["content-length"] === undefined ? { ...headers, "transfer-encoding": "chunked" } : headers;
}

function answerOf(outgoing: ClientRequest): Promise<Answer> {
  const answer = new Promise<Answer>((resolve, reject) => {
    outgoing.once("response", (incoming) => {
      resolve({ status: incoming.statusCode ?? 502, rawHeaders: incoming.rawHeaders, body: incoming });
    });
    outgoing.on("error", (error) => reject(homeserverError(error)));
    outgoing.once("upgrade", () => reject(new FederationError("PINYON_HOMESERVER_ANSWER", "another protocol")));
  });
  answer.catch(() => {});
  return answer;
}

/** One request that goes wrong says nothing of the next one; a connection that cannot be made does. */
function homeserverError(error: Error & { syscall?: string }): FederationError {
  if (error instanceof FederationError) return error;
  const code = error.syscall === "connect" ? "PINYON_HOMESERVER" : "PINYON_HOMESERVER_ANSWER";
  return new FederationError(code, error.message, { cause: error });
}
