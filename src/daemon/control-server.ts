import { chmod, rm } from "node:fs/promises";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { FILE_MODE } from "./atomic-file.js";
import { type ControlRequest, ControlRequestSchema, type ControlResponse } from "./control-protocol.js";
import { ErrorCode, messageOf, PinyonError, pinyonCode } from "./errors.js";
import { CONTROL_CLIENTS_MAX, CONTROL_IDLE_MS, CONTROL_LINE_BYTES_MAX } from "./limits.js";
import { readLines } from "./line-socket.js";
import type { Log } from "./logs.js";

/** Does what a request asks; gives its result, or rejects with a `PinyonError` that is told to the client. */
export type ControlHandler = (request: ControlRequest) => Promise<unknown> | unknown;

/** What the control socket did, as plain counters. */
export interface ControlStats {
  requests: number;
  /** Requests that do not have their form. */
  malformed: number;
  /** Lines over `CONTROL_LINE_BYTES_MAX`. */
  oversize: number;
  /** Clients turned away at `CONTROL_CLIENTS_MAX`. */
  refused: number;
}

/**
 * The control socket: a Unix socket that only the node's user can open. A request is one line of JSON with a `verb`; the
 * answer is one line, `{"ok":true,"result":…}` or `{"ok":false,"error":{"code","message"}}`, in the order of the requests.
 */
export class ControlServer {
  readonly stats: ControlStats = { requests: 0, malformed: 0, oversize: 0, refused: 0 };
  readonly #server: Server;
  readonly #clients = new Set<Socket>();

  private constructor(
    private readonly handler: ControlHandler,
    private readonly log: Log,
  ) {
    // A script may close its side once it has asked: `readLines` closes ours after the last answer.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Listens on `path`. Throws `PINYON_LOCKED` where another daemon answers there. */
  static async listen(path: string, handler: ControlHandler, log: Log): Promise<ControlServer> {
    // The folder's lock is ours, so what lies here is a dead daemon's, or, with a folder shared by two containers whose
    // processes do not see each other, a living one's.
    if (await answers(path)) {
      throw new PinyonError(ErrorCode.LOCKED, `${path}: another daemon answers on this control socket: stop it first`);
    }
    await rm(path, { force: true });
    const control = new ControlServer(handler, log);
    await new Promise<void>((resolve, reject) => {
      control.#server.once("error", reject).listen(path, resolve);
    });
    await chmod(path, FILE_MODE);
    return control;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const client of this.#clients) client.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    if (this.#clients.size >= CONTROL_CLIENTS_MAX) {
      this.stats.refused++;
      socket.end(line(failure(new PinyonError(ErrorCode.BUSY, `${CONTROL_CLIENTS_MAX} clients are served already`))));
      socket.resume();
      socket.on("end", () => socket.destroy());
      return;
    }
    this.#clients.add(socket);
    socket.on("close", () => this.#clients.delete(socket));
    socket.setTimeout(CONTROL_IDLE_MS, () => socket.destroy());
    const answer = async (text: string) => {
      socket.setTimeout(0);
      socket.write(line(await this.#answer(text)));
      socket.setTimeout(CONTROL_IDLE_MS);
    };
    readLines(socket, CONTROL_LINE_BYTES_MAX, answer, () => {
      this.stats.oversize++;
      const message = `the line is too long: expected at most ${CONTROL_LINE_BYTES_MAX} bytes`;
      socket.end(line(failure(new PinyonError(ErrorCode.REQUEST, message))), () => socket.destroy());
    });
  }

  async #answer(text: string): Promise<ControlResponse> {
    this.stats.requests++;
    const request = parseRequest(text);
    if (request instanceof PinyonError) {
      this.stats.malformed++;
      return failure(request);
    }
    try {
      return { ok: true, result: await this.handler(request) };
    } catch (error) {
      if (!(error instanceof PinyonError))
        this.log.error({ err: error, verb: request.verb }, "a control request failed");
      return failure(error);
    }
  }
}

function parseRequest(text: string): ControlRequest | PinyonError {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return new PinyonError(ErrorCode.REQUEST, "the line is not JSON: expected an object with a `verb`");
  }
  const result = ControlRequestSchema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "request"}: ${message}`);
  return new PinyonError(ErrorCode.REQUEST, faults.join("; "));
}

function failure(error: unknown): ControlResponse {
  return { ok: false, error: { code: pinyonCode(error) ?? ErrorCode.INTERNAL, message: messageOf(error) } };
}

function line(response: ControlResponse): string {
  return `${JSON.stringify(response)}\n`;
}

/** True where a process takes connections on a Unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
