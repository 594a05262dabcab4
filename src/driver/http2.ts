import {
  type ClientHttp2Session,
  connect,
  constants,
  type Http2Stream,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Duplex } from "node:stream";
import {
  BODY_AHEAD_BYTES,
  CONNECTION_AHEAD_BYTES,
  HEADER_BYTES_MAX,
  HEADER_FIELDS_MAX,
  HTTP_MEMORY_MB_MAX,
  REQUESTS_MAX,
} from "./config.js";
import { OverlayError } from "./errors.js";
import { paceBody } from "./paced-body.js";
import { SessionStream } from "./session-stream.js";

/**
 * Answers one request. `rawHeaders` has every field as it came, name and value by turns, repeated ones too. A body that is not wanted is
 * to be let go by `resume`; the request may have ended already, so that `respond` throws where it is `destroyed`.
 */
export type RequestHandler = (
  request: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
) => void;

const SETTINGS = {
  enablePush: false,
  initialWindowSize: BODY_AHEAD_BYTES,
  maxConcurrentStreams: REQUESTS_MAX,
  maxHeaderListSize: HEADER_BYTES_MAX,
};
/** The platform's own bounds on floods of pings, settings, resets and invalid frames hold beside these. */
const OPTIONS = {
  settings: SETTINGS,
  maxHeaderListPairs: HEADER_FIELDS_MAX,
  maxSessionMemory: HTTP_MEMORY_MB_MAX,
  peerMaxConcurrentStreams: REQUESTS_MAX,
};

/** The asking end of HTTP/2 on `stream`. Its errors are told by `close` and by each request's own events. */
export function http2ClientOver(stream: Duplex, authority: string): ClientHttp2Session {
  const client = connect(`http://${authority}`, { ...OPTIONS, createConnection: () => stream });
  client.setLocalWindowSize(CONNECTION_AHEAD_BYTES);
  client.on("error", ignore);
  return client;
}

/** The answering end of HTTP/2 on `stream`. */
export function http2ServerOver(stream: Duplex, handler: RequestHandler): ServerHttp2Session {
  const server = performServerHandshake(stream, OPTIONS);
  server.setLocalWindowSize(CONNECTION_AHEAD_BYTES);
  server.on("error", ignore);
  server.on(
    "stream",
    (request: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders: string[]) => {
      guardBodies(request);
      if (stream instanceof SessionStream) paceBody(request, stream);
      handler(request, headers, rawHeaders);
    },
  );
  return server;
}

/**
 * Lets no half body pass for a whole one. The platform gives a body that breaks off because the other side cancelled, or because the
 * connection ended, the same `end` as a whole one, and tells the other side nothing of a stream that is destroyed without an error:
 * here both are errors. A request or an answer is given up by `destroy`; `close` with a code would end its body before it is cut.
 */
export function guardBodies(stream: Http2Stream): void {
  const destroy = stream._destroy;
  stream._destroy = (error, callback) => {
    const isDone = stream.readableEnded && stream.writableFinished;
    const isCut = stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR;
    const isBroken = stream.closed ? isCut && !stream.readableEnded : !isDone;
    destroy.call(stream, error ?? (isBroken ? new OverlayError("PINYON_BODY_BROKEN") : null), callback);
  };
  stream.on("error", ignore);
}

/** Without a listener an error that the peer caused would end the process; `close` follows it and is what is listened to. */
function ignore(): void {}
