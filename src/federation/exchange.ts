import type { OutgoingHttpHeaders } from "node:http";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { EXCHANGE_TIMEOUT_MS, HEAD_TIMEOUT_MS, IDLE_TIMEOUT_MS } from "./config.js";
import { FederationError } from "./errors.js";
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
  readonly body: Readable;
  /** Begins the answer; what it gives takes the answer's body. */
  answer(status: number, headers: OutgoingHttpHeaders): Writable;
  /** Answers with an error, or breaks off an answer that has begun. */
  fail(error: FederationError): void;
  /** Resolves at its end: true where who asked has the whole answer, false where it is gone or the answer was broken off. */
  readonly closed: Promise<boolean>;
}

/** An answer whose body is still to come. */
export interface Answer {
  readonly status: number;
  /** By lower-case name, as received: what passes is for the caller to choose. */
  readonly rawHeaders: readonly string[];
  readonly body: Readable;
}

/** A request that goes on: its body is taken, its answer comes. */
export interface Passage {
  readonly body: Writable;
  /** Rejects with a `FederationError` where there is none. */
  readonly answer: Promise<Answer>;
  /** Gives it up, on both ends. */
  destroy(error?: FederationError): void;
}

/**
 * Passes the body of a question on and its answer back, each as fast as its reader takes it, so that neither is ever held whole.
 * Resolves with the status when the answer is whole; where anything breaks off, the other end is broken off too and it rejects.
 */
export async function exchange(
  question: Question,
  passage: Passage,
  passHeaders: (rawHeaders: readonly string[]) => OutgoingHttpHeaders,
  timers: Timers,
): Promise<number> {
  const limit = new ExchangeLimit(timers);
  limit.passed.catch((error: FederationError) => passage.destroy(error));
  const whole = question.closed.then((isWhole) => {
    if (isWhole) return;
    const error = new FederationError("PINYON_BODY_BROKEN");
    passage.destroy(error);
    throw error;
  });
  whole.catch(() => {});
  try {
    void passBody(question, passage, limit);
    const answer = await passage.answer;
    limit.handleHead();
    const { body, status } = answer;
    const broken = new Promise<never>((_, reject) => body.once("error", (error) => reject(brokenOff(error))));
    body.on("data", () => limit.touch());
    body.pipe(question.answer(status, passHeaders(answer.rawHeaders)));
    // The passage may be over while the end of its answer still waits for a reader.
    await Promise.race([whole, broken, limit.passed]);
    return status;
  } finally {
    limit.end();
  }
}

/** Whatever Node or the system says of a body that ends early. */
function brokenOff(error: Error): FederationError {
  return error instanceof FederationError
    ? error
    : new FederationError("PINYON_BODY_BROKEN", undefined, { cause: error });
}

/** An answer may come before the body of its question was read, and then nobody reads the rest. */
async function passBody({ hasBody, body }: Question, passage: Passage, limit: ExchangeLimit): Promise<void> {
  try {
    if (hasBody) {
      body.on("data", () => limit.touch());
      await pipeline(body, passage.body);
    } else {
      passage.body.end();
    }
    limit.handleAsked();
  } catch {
    passage.destroy(new FederationError("PINYON_BODY_BROKEN"));
  }
}

/** The limits of time of one exchange. Each byte is a note of the time, not a timer. */
class ExchangeLimit {
  /** Rejects with `PINYON_TIMEOUT` when one is passed. */
  readonly passed: Promise<never>;
  #handlePassed!: (error: FederationError) => void;
  readonly #endMs: number;
  #lastMs: number;
  #waitMs = IDLE_TIMEOUT_MS;
  #cancel: () => void = () => {};

  constructor(private readonly timers: Timers) {
    this.passed = new Promise((_, reject) => {
      this.#handlePassed = reject;
    });
    this.#lastMs = timers.nowMs();
    this.#endMs = this.#lastMs + EXCHANGE_TIMEOUT_MS;
    this.#arm();
  }

  touch(): void {
    this.#lastMs = this.timers.nowMs();
  }

  /** The question is whole: from here on nothing is said until the answer's head. */
  handleAsked(): void {
    this.#wait(HEAD_TIMEOUT_MS);
  }

  handleHead(): void {
    this.#wait(IDLE_TIMEOUT_MS);
    this.handleAsked = () => {};
  }

  end(): void {
    this.#cancel();
    this.handleAsked = () => {};
  }

  #wait(waitMs: number): void {
    this.#waitMs = waitMs;
    this.touch();
    this.#cancel();
    this.#arm();
  }

  #arm(): void {
    const dueMs = Math.min(this.#lastMs + this.#waitMs, this.#endMs);
    this.#cancel = this.timers.after(dueMs - this.timers.nowMs(), () => {
      const isDue = this.timers.nowMs() >= Math.min(this.#lastMs + this.#waitMs, this.#endMs);
      if (isDue) this.#handlePassed(new FederationError("PINYON_TIMEOUT"));
      else this.#arm();
    });
  }
}
