import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { errorBody } from "./answer-error.js";
import { LINGER_MS } from "./config.js";
import { FederationError, federationErrorOf } from "./errors.js";
import { type Answer, bodyError, type Passage, type Question, type RequestHead } from "./exchange.js";
import { isFinalStatus } from "./http1.js";
import type { RemoteNode } from "./overlay.js";

/** Says in an answer that the node gave it, and not its homeserver: the error's code. */
export const CODE_HEADER = "pinyon-code";

/** A request that another node made. */
export function http2Question(request: ServerHttp2Stream, headers: IncomingHttpHeaders = {}): Question {
  return {
    hasBody: !request.endAfterHeaders,
    bodyBytes: Number(headers["content-length"]),
    body: request,
    answer(status, answerHeaders) {
      // Who asked may have given it up meanwhile, or the session ended.
      if (!request.destroyed && !request.closed) request.respond({ ...answerHeaders, ":status": status });
      return request;
    },
    fail(error) {
      if (request.headersSent || request.destroyed || request.closed) {
        request.destroy(error);
        return;
      }
      request.respond({ ":status": error.status, "content-type": "application/json", [CODE_HEADER]: error.code });
      request.end(errorBody(error));
      // A body that is still coming is let go, for a while: whoever is cut while it sends may not see the answer.
      request.resume();
      const timer = setTimeout(() => request.destroy(error), LINGER_MS);
      request.once("close", () => clearTimeout(timer));
    },
    closed: new Promise((resolve) => request.once("close", () => resolve(isAnswered(request)))),
  };
}

/**
 * The platform may close a stream that ended well before it says that the writing is finished. Who has the answer may give up the rest
 * of its own body.
 */
function isAnswered({ writableEnded, writableFinished, rstCode }: ServerHttp2Stream): boolean {
  return rstCode === constants.NGHTTP2_NO_ERROR ? writableEnded : writableFinished;
}

/** A request to the homeserver of another node, by its server name. */
export function http2Passage(
  remote: RemoteNode,
  name: string,
  { method, path, headers, hasBody }: RequestHead,
): Passage {
  const head = { ...headers, ":method": method, ":path": path, ":authority": name };
  const request = remote.request(head, { endStream: !hasBody });
  const answer = answerOf(request);
  answer.catch(() => {});
  return { body: request, answer, destroy: (error) => void request.destroy(error) };
}

function answerOf(request: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let isAnswered = false;
    request.once(
      "response",
      (headers: IncomingHttpHeaders & { ":status"?: number }, _flags: number, rawHeaders: string[]) => {
        isAnswered = true;
        const { ":status": status = 0 } = headers;
        if (isFinalStatus(status)) resolve({ status, rawHeaders, body: request });
        else request.destroy(new FederationError("PINYON_BODY_BROKEN", `status ${status}`));
      },
    );
    request.on("error", (error) => reject(noAnswer(error)));
    request.once("close", () => isAnswered || reject(bodyError(undefined)));
  });
}

/** The session ended, or the request was given up. */
function noAnswer(error: unknown): FederationError {
  const known = federationErrorOf(error);
  return known.code === "PINYON_INTERNAL" ? bodyError(error) : known;
}
