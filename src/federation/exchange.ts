import type { OutgoingHttpHeaders } from "node:http";
import type { Readable, Writable } from "node:stream";
import {
  BODY_WAITING_BYTES,
  EXCHANGE_TIMEOUT_MS,
  HEAD_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  WHOLE_BODY_BYTES_MAX,
} from "./config.js";
import { FederationError, federationErrorOf } from "./errors.js";
import type { Timers } from "./overlay.js";

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  /** Path and query, byte for byte: they are signed. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly hasBody: boolean;
}

/** A request that came in: who asks waits for one answer. */
export interface Question {
  readonly hasBody: boolean;
  /** The length of the body as its head states it; NaN where it does not. */
  readonly bodyBytes: number;
  readonly body: Readable;
  /** Begins the answer; what it gives takes the answer's body. Nothing where who asked is gone. */
  answer(status: number, headers: OutgoingHttpHeaders): Writable;
  /** Answers with an error, or breaks off an answer that has begun. Never throws. */
  fail(error: FederationError): void;
  /** Resolves at its end: true where who asked has the whole answer, false where it is gone or the answer was broken off. */
  readonly closed: Promise<boolean>;
}

/** An answer whose body is still to come. */
export interface Answer {
  /** From 200 to 599. */
  readonly status: number;
  /** As received: what passes is for the caller to choose. */
  readonly rawHeaders: readonly string[];
  readonly body: Readable;
}

/** A request that goes on: its body is taken, its answer comes. */
export interface Passage {
  readonly body: Writable;
  /** Rejects with a `FederationError` where there is none. */
  readonly answer: Promise<Answer>;
  /** Gives it up: no answer comes any more, and the body of one that has come breaks off unless it was read to its end. */
  destroy(error: FederationError): void;
}

/**
 * Passes the body of a question on and its answer back, each as fast as its reader takes it, so that neither is ever held whole.
 * Resolves with the status when the answer is whole; where anything breaks off, or takes too long, it gives up the passage and rejects
 * with a `FederationError`.
 */
export async function exchange(
  question: Question,
  passage: Passage,
  passHeaders: (rawHeaders: readonly string[]) => OutgoingHttpHeaders,
  timers: Timers,
): Promise<number> {
  const limit = new ExchangeLimit(timers);
  const end = Promise.race([question.closed, limit.expired]);
  end.catch(ignore);
  try {
    passBody(question, passage, limit);
    const answer = await Promise.race([passage.answer, end]);
    if (typeof answer === "boolean") throw new FederationError("PINYON_BODY_BROKEN");
    limit.handleHead();
    if (!(await giveAnswer(question, passage, answer, passHeaders(answer.rawHeaders), limit, end)))
      throw new FederationError("PINYON_BODY_BROKEN");
    letGo(question, passage);
    return answer.status;
  } catch (thrown) {
    const error = federationErrorOf(thrown);
    passage.destroy(error);
    throw error;
  } finally {
    limit.end();
  }
}

/** Resolves as `end` does once who asked was given all, and rejects where that cannot be. */
async function giveAnswer(
  question: Question,
  passage: Passage,
  { status, body }: Answer,
  headers: OutgoingHttpHeaders,
  limit: ExchangeLimit,
  end: Promise<boolean>,
): Promise<boolean> {
  const whole = takeWhole(body, Number(headers["content-length"]));
  if (whole !== undefined) {
    letGo(question, passage);
    question.answer(status, headers).end(whole);
    return end;
  }
  const taken = wholeBody(body);
  body.on("data", () => limit.touch()).once("end", () => letGo(question, passage));
  passOn(body, question.answer(status, headers));
  return Promise.race([end, taken.then(() => end)]);
}

/** What broke the body of a request or an answer off: an error of this folder, or the end of the connection that it came on. */
export function bodyError(error: unknown): FederationError {
  return error instanceof FederationError
    ? error
    : new FederationError("PINYON_BODY_BROKEN", undefined, { cause: error });
}

/**
 * An answer may come before the body of its question was read: nobody takes the rest any more. It must be let go before the answer ends:
 * then the platform throws away what it has not given of the body, and ends it as if it were whole.
 */
function letGo({ hasBody, body }: Question, passage: Passage): void {
  if (!hasBody || body.readableEnded) return;
  body.resume();
  passage.destroy(new FederationError("PINYON_BODY_BROKEN"));
}

/** Where nobody takes the rest any more, it is let go, so that who asked can read why. */
function passBody({ hasBody, bodyBytes, body }: Question, passage: Passage, limit: ExchangeLimit): void {
  if (!hasBody) {
    passage.body.end();
    limit.handleAsked();
    return;
  }
  const whole = takeWhole(body, bodyBytes);
  if (whole !== undefined) {
    passage.body.end(whole);
    limit.handleAsked();
    return;
  }
  body.on("data", () => limit.touch());
  wholeBody(body).then(
    () => limit.handleAsked(),
    (error: FederationError) => passage.destroy(error),
  );
  passOn(body, passage.body);
  passage.body.once("close", () => body.resume());
}

/**
 * Passes a body on: what comes in one turn of the event loop leaves in one write, and it stops where too much waits. A pipe would stop, and
 * go on, at each 16 KiB of HTTP/2. What comes once nobody takes it any more is thrown away.
 */
function passOn(from: Readable, to: Writable): void {
  let isCorked = false;
  const uncork = () => {
    isCorked = false;
    to.uncork();
  };
  from.on("data", (chunk: Uint8Array) => {
    if (to.destroyed) return;
    if (!isCorked) {
      isCorked = true;
      to.cork();
      process.nextTick(uncork);
    }
    if (!to.write(chunk) && to.writableLength >= BODY_WAITING_BYTES) from.pause();
  });
  to.on("drain", () => from.resume());
  // An answer without a body may have ended with its head.
  if (from.readableEnded) to.end();
  else from.once("end", () => to.end());
}

/**
 * Takes a short body all of which is here, as that of most requests and answers is when its head is looked at: `sizeBytes` is what the head
 * states. What is passed in one piece needs none of the machinery of streams. Undefined, and nothing taken, for every other body.
 */
function takeWhole(body: Readable, sizeBytes: number): Uint8Array | undefined {
  if (sizeBytes > WHOLE_BODY_BYTES_MAX || sizeBytes === 0 || body.readableLength !== sizeBytes) return undefined;
  const bytes: Uint8Array | null = body.read();
  // Its end is still to be read.
  body.resume();
  return bytes ?? undefined;
}

/**
 * Resolves when the body was read to its end, and rejects where it breaks off, also where it did already. The platform's `finished` takes
 * a stream of HTTP/2 that the other side has closed for one that broke off, while what arrived is still to be read.
 */
function wholeBody(body: Readable): Promise<void> {
  const whole = new Promise<void>((resolve, reject) => {
    // Most bodies are whole when they close: an error is made where one is needed, for it notes where it was made.
    const handleBroken = (error?: unknown) => {
      if (!body.readableEnded) reject(bodyError(error));
    };
    if (body.destroyed) handleBroken(body.errored);
    body.once("end", resolve).once("error", handleBroken).once("close", handleBroken);
  });
  whole.catch(ignore);
  return whole;
}

/**
 * The limits of time of one exchange, with one timer for all of them: what happens is a note of the time, and the timer looks at the notes. It
 * is set to the shortest limit, so none is met late.
 */
class ExchangeLimit {
  /** Rejects when one is met. */
  readonly expired: Promise<never>;
  readonly #timers: Timers;
  readonly #endMs: number;
  #lastMs: number;
  #waitMs = IDLE_TIMEOUT_MS;
  #hasHead = false;
  #isOver = false;
  #expire!: (error: FederationError) => void;
  #cancel: () => void = ignore;

  constructor(timers: Timers) {
    this.#timers = timers;
    this.#lastMs = timers.nowMs();
    this.#endMs = this.#lastMs + EXCHANGE_TIMEOUT_MS;
    this.expired = new Promise((_resolve, reject) => {
      this.#expire = reject;
    });
    this.#arm();
  }

  /** A byte of a body passed. */
  touch(): void {
    this.#lastMs = this.#timers.nowMs();
  }

  /** The question is whole: from here on nothing is said until the answer's head. */
  handleAsked(): void {
    if (!this.#hasHead) this.#wait(HEAD_TIMEOUT_MS);
  }

  handleHead(): void {
    this.#hasHead = true;
    this.#wait(IDLE_TIMEOUT_MS);
  }

  end(): void {
    this.#isOver = true;
    this.#cancel();
  }

  #wait(waitMs: number): void {
    if (this.#isOver) return;
    this.#waitMs = waitMs;
    this.touch();
  }

  #arm(): void {
    const leftMs = Math.min(this.#dueMs() - this.#timers.nowMs(), IDLE_TIMEOUT_MS);
    this.#cancel = this.#timers.after(leftMs, () => {
      if (this.#timers.nowMs() < this.#dueMs()) this.#arm();
      else this.#expire(new FederationError("PINYON_TIMEOUT"));
    });
  }

  #dueMs(): number {
    return Math.min(this.#lastMs + this.#waitMs, this.#endMs);
  }
}

/** For promises of which the end may be nobody's business, and events. */
function ignore(): void {}
