import { createConnection, type Socket } from "node:net";
import type { ControlRequest, ControlResponse, ResultOf } from "./control-protocol.js";
import { ErrorCode, PinyonError, systemCode } from "./errors.js";
import { CONTROL_ANSWER_BYTES_MAX } from "./limits.js";
import { readLines } from "./line-socket.js";

const CUT: readonly string[] = ["ECONNRESET", "EPIPE"];

interface Waiting {
  resolve(line: string): void;
  reject(error: Error): void;
}

/** A connection to a daemon's control socket. Answers come in the order of the requests. */
export class ControlClient {
  readonly #waiting: Waiting[] = [];
  #failure: PinyonError | undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly folder: string,
  ) {
    const onOversize = () => socket.destroy(new Error("the answer is too long"));
    readLines(socket, CONTROL_ANSWER_BYTES_MAX, (line) => this.#waiting.shift()?.resolve(line), onOversize);
    // Where the daemon ends while it is asked, the system says so in one of two ways.
    socket.on("error", (error) => {
      if (!CUT.includes(systemCode(error) ?? "")) this.#fail(error.message);
    });
    socket.on("close", () => this.#fail("the daemon closed the control socket"));
  }

  /** Connects to the daemon of a state folder. Throws `PINYON_NOT_RUNNING`. */
  static connect(path: string, folder: string): Promise<ControlClient> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path);
      socket.once("error", (error) => reject(notRunning(folder, error)));
      socket.once("connect", () => {
        socket.removeAllListeners("error");
        resolve(new ControlClient(socket, folder));
      });
    });
  }

  /** Sends a request and gives its result. Throws the daemon's error, or `PINYON_NOT_RUNNING` where it ends meanwhile. */
  async request<R extends ControlRequest>(request: R): Promise<ResultOf<R>> {
    const line = await new Promise<string>((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#waiting.push({ resolve, reject });
      this.socket.write(`${JSON.stringify(request)}\n`);
    });
    const response = JSON.parse(line) as ControlResponse;
    if (response.ok) return response.result as ResultOf<R>;
    throw new PinyonError(response.error.code, response.error.message);
  }

  close(): void {
    this.socket.destroy();
  }

  #fail(reason: string): void {
    this.#failure ??= new PinyonError(ErrorCode.NOT_RUNNING, `${this.folder}: ${reason}: look into the daemon's log`);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure);
  }
}

function notRunning(folder: string, error: Error): PinyonError {
  const code = systemCode(error);
  if (code === "ENOENT" || code === "ECONNREFUSED") {
    return new PinyonError(
      ErrorCode.NOT_RUNNING,
      `${folder}: no node runs on this state folder: start one with \`pinyon run\`, or name its folder with --state`,
    );
  }
  const reason = code === "EACCES" ? "the control socket belongs to another user" : error.message;
  return new PinyonError(ErrorCode.NOT_RUNNING, `${folder}: ${reason}: run this as the user who runs the node`);
}
