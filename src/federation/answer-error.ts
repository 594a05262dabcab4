import { type IncomingHttpHeaders, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { LINGER_MS } from "./config.js";
import type { FederationError } from "./errors.js";

/**
 * Answers a request with an error, as JSON. Where an answer was begun, it is broken off instead: its reader must not take it for whole.
 * A body that is still coming is read and thrown away for `LINGER_MS` at most: whoever is cut while it sends may not see the answer.
 */
export function answerError(response: ServerResponse, error: FederationError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { headers, body } = errorAnswer(error);
  endUnlessWhole(response);
  response.writeHead(error.status, headers);
  const request = response.req;
  if (request.complete || request.destroyed) {
    response.end(body);
    return;
  }
  response.write(body);
  const timer = setTimeout(() => response.end(), LINGER_MS);
  request.once("close", () => response.end());
  request.once("end", () => response.end());
  response.once("close", () => clearTimeout(timer));
  request.resume();
}

/** Has the connection end after an answer that comes before the body of its question is whole: where that ends, nobody will look. */
export function endUnlessWhole(response: ServerResponse): void {
  const { complete, headers } = response.req;
  if (!complete && hasBody(headers)) response.shouldKeepAlive = false;
}

/** True where a head of HTTP/1.1 says that a body follows (RFC 9112, section 6). */
export function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}

/** `answerError` on a connection on which no request could be read, or which asked for a tunnel; it is closed. */
export function answerErrorOn(socket: Duplex, error: FederationError): void {
  const { headers, body } = errorAnswer(error);
  const fields = Object.entries({ ...headers, connection: "close" }).map(([name, value]) => `${name}: ${value}\r\n`);
  const statusLine = `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\n`;
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.end(`${statusLine}${fields.join("")}\r\n${body}`);
  socket.resume();
}

/** The body that tells an error, as homeservers tell theirs. */
export function errorBody({ code, message }: FederationError): string {
  return JSON.stringify({ errcode: code, error: message });
}

function errorAnswer(error: FederationError): { headers: Record<string, string>; body: string } {
  const body = errorBody(error);
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
  };
  if (error.code === "PINYON_CREDENTIAL") headers["proxy-authenticate"] = 'Basic realm="pinyon", Bearer realm="pinyon"';
  return { headers, body };
}
