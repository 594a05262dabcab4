import { isServerName } from "../wire/name.js";
import type { Bindings } from "./binding/bindings.js";
import type { BoundServers } from "./binding/bound-servers.js";
import { CLASSIC_REQUESTS_MAX } from "./classic/config.js";
import { KEPT_KEY_TIMEOUT_MS, KEY_BODY_BYTES_MAX, KEY_TIMEOUT_MS, OUTBOUND_REQUESTS_MAX } from "./config.js";
import { FederationError, federationErrorOf } from "./errors.js";
import { exchange, type Passage, type Question, type RequestHead } from "./exchange.js";
import { headerValues, passRequestHeaders, passResponseHeaders } from "./headers.js";
import { http1Question } from "./http1.js";
import { type KeyResponses, namesOfQuery } from "./key-responses.js";
import type { OutboundRequest } from "./local-listener.js";
import type { Timers } from "./overlay.js";
import { classify, type PathKind } from "./paths.js";
import type { Reachability } from "./reachability.js";
import type { Servers } from "./servers.js";
import type { FederationStats } from "./stats.js";
import type { WakeUps } from "./wake-ups.js";
import { askWhole, readWhole, type WholeAnswer } from "./whole.js";
import { within } from "./within.js";
import { formatXMatrix, readXMatrix, requireParties } from "./x-matrix.js";

export interface OutboundOptions {
  /** This node's server name. */
  readonly name: string;
  readonly servers: Servers;
  /** Those whose name holds no key. */
  readonly classic: BoundServers;
  readonly bindings: Bindings;
  readonly keys: KeyResponses;
  readonly reachability: Reachability;
  readonly wakeUps: WakeUps;
  /** The homeserver asks again within seconds after an error. */
  readonly fastRetries: boolean;
  readonly stats: FederationStats;
  readonly timers: Timers;
  readonly onFault: (error: unknown) => void;
}

/** A request of the homeserver that may go on. */
interface Outgoing {
  readonly kind: PathKind;
  readonly destination: string;
  /** Who finds the destination. */
  readonly servers: { open(name: string, head: RequestHead): Promise<Passage> };
  /** Its name holds no key. */
  readonly isClassic: boolean;
  readonly head: RequestHead;
  readonly question: Question;
}

/** What the homeserver asks of other servers: checked, and passed to the node whose key the server's name holds, or to a classic server. */
export class Outbound {
  readonly #options: OutboundOptions;
  #open = 0;
  #openClassic = 0;

  constructor(options: OutboundOptions) {
    this.#options = options;
  }

  async handle(outbound: OutboundRequest): Promise<void> {
    const { stats, onFault } = this.#options;
    const question = http1Question(outbound.request, outbound.response);
    stats.outboundRequests++;
    this.#open++;
    try {
      if (this.#open > OUTBOUND_REQUESTS_MAX) throw new FederationError("PINYON_BUSY");
      await this.#pass(this.#check(outbound, question));
      stats.outboundAnswers++;
    } catch (thrown) {
      const error = federationErrorOf(thrown);
      stats.outboundErrors[error.code]++;
      if (error.code === "PINYON_INTERNAL") onFault(thrown);
      question.fail(error);
    } finally {
      this.#open--;
    }
  }

  #check({ destination, path, request }: OutboundRequest, question: Question): Outgoing {
    const { method = "", rawHeaders } = request;
    const isClassic = !isServerName(destination);
    const servers = isClassic ? this.#options.classic : this.#options.servers;
    if (destination === this.#options.name) throw new FederationError("PINYON_DESTINATION", "it is this server itself");
    const { kind, isSigned } = classify(method, path);
    if (kind === "wake") throw new FederationError("PINYON_PATH");
    const authorization = headerValues(rawHeaders, "authorization");
    const signatures = isSigned || authorization.length > 0 ? readXMatrix(authorization) : [];
    requireParties(signatures, this.#options.name, destination);
    // Another node takes what is signed by a field of its own, a classic server where it always stands.
    const field = isClassic ? "authorization" : "x-matrix";
    const headers = passRequestHeaders(rawHeaders);
    if (signatures.length > 0) Object.assign(headers, { [field]: signatures.map(formatXMatrix) });
    const head = { method, path, headers, hasBody: question.hasBody };
    return { kind, destination, servers, isClassic, head, question };
  }

  async #pass(outgoing: Outgoing): Promise<void> {
    if (!outgoing.isClassic) return this.#passByKind(outgoing);
    this.#openClassic++;
    try {
      if (this.#openClassic > CLASSIC_REQUESTS_MAX) throw new FederationError("PINYON_BUSY");
      await this.#passByKind(outgoing);
    } finally {
      this.#openClassic--;
    }
  }

  #passByKind(outgoing: Outgoing): Promise<void> {
    switch (outgoing.kind) {
      case "keys-of-server":
        return outgoing.isClassic ? this.#passToClassic(outgoing) : this.#passKeysOfServer(outgoing);
      case "keys-query":
        return this.#passKeysQuery(outgoing);
      default:
        return outgoing.isClassic ? this.#passToClassic(outgoing) : this.#passOn(outgoing);
    }
  }

  async #passToClassic({ servers, destination, head, question }: Outgoing): Promise<void> {
    const { bindings, wakeUps, timers } = this.#options;
    const status = await exchange(question, await servers.open(destination, head), passResponseHeaders, timers);
    // A node stands behind that name: it wants to hear when this one is back.
    if (status === 200 && bindings.pinned(destination) !== undefined) wakeUps.noteContact(destination);
  }

  async #passOn({ kind, servers, destination, head, question }: Outgoing): Promise<void> {
    const { wakeUps, timers } = this.#options;
    const passage = await servers.open(destination, head).catch((error: unknown) => {
      throw kind === "send" && this.#isPostponed(destination, error)
        ? new FederationError(AWAY, POSTPONED, NOT_FOUND)
        : error;
    });
    const status = await exchange(question, passage, passResponseHeaders, timers);
    if (status === 200) wakeUps.noteContact(destination);
    if (status === 200 && kind === "send") wakeUps.handlePaid(destination);
  }

  /**
   * A homeserver with settings of its own waits ever longer after each 502, and does not listen meanwhile. After a 404 it waits for ten
   * minutes or a signed request from the destination, whichever is first: so it is told that in an outage where a wake-up can be promised.
   */
  #isPostponed(destination: string, error: unknown): boolean {
    const { fastRetries, reachability, wakeUps } = this.#options;
    if (fastRetries || federationErrorOf(error).code !== AWAY) return false;
    return reachability.isOutage(destination) && wakeUps.owe(destination);
  }

  /** A key response is judged by the name alone, so a kept one serves while its origin is away. */
  async #passKeysOfServer(outgoing: Outgoing): Promise<void> {
    const { destination, question } = outgoing;
    const { keys, stats } = this.#options;
    const stored = await keys.storedServer(destination);
    const timeoutMs = stored === undefined ? KEY_TIMEOUT_MS : KEPT_KEY_TIMEOUT_MS;
    let answer: WholeAnswer;
    try {
      answer = await this.#ask(outgoing, new Uint8Array(0), timeoutMs);
      if (isSuccess(answer)) await keys.checkServer(destination, answer.body);
    } catch (error) {
      if (stored === undefined || !isAbsence(error)) throw error;
      stats.keyResponsesServed++;
      answer = { ...KEPT, body: stored };
    }
    giveWhole(question, answer, answer.body);
  }

  /** The same for what a server knows of others' keys. */
  async #passKeysQuery(outgoing: Outgoing): Promise<void> {
    const { head, question } = outgoing;
    const { keys, stats, timers } = this.#options;
    const asked = await within(readWhole(question.body, KEY_BODY_BYTES_MAX), KEY_TIMEOUT_MS, timers);
    if (outgoing.isClassic && isOverlayQuery(head.path, asked)) {
      giveWhole(question, KEPT, await keys.storedQuery(namesOfQuery(head.path, asked)));
      return;
    }
    try {
      const answer = await this.#ask(outgoing, asked, KEY_TIMEOUT_MS);
      giveWhole(question, answer, isSuccess(answer) ? await keys.checkQuery(answer.body) : answer.body);
    } catch (error) {
      if (!isAbsence(error)) throw error;
      const stored = await keys.storedQuery(namesOfQuery(head.path, asked));
      stats.keyResponsesServed++;
      giveWhole(question, KEPT, stored);
    }
  }

  /** Throws where the server is away, also where its node is not, and where it takes too long. */
  async #ask({ destination, servers, head }: Outgoing, body: Uint8Array, timeoutMs: number): Promise<WholeAnswer> {
    const { timers } = this.#options;
    // What is to be checked must not be compressed.
    const headers = { ...head.headers, "accept-encoding": "identity" };
    // The search for a server that is away takes its time, too.
    const opened = servers.open(destination, { ...head, headers });
    const asked = opened.then((passage) => askWhole(passage, body, KEY_BODY_BYTES_MAX, timeoutMs, timers));
    const answer = await within(asked, timeoutMs, timers);
    if (answer.status >= 500) throw new FederationError("PINYON_HOMESERVER_ANSWER", `it answered ${answer.status}`);
    return answer;
  }
}

/**
 * A classic server can say nothing of the keys of the overlay, and would look for their names in the DNS while the homeserver waits: it is
 * not asked for them, and the homeserver asks them themselves.
 */
function isOverlayQuery(path: string, body: Uint8Array): boolean {
  const names = namesOfQuery(path, body);
  return names.length > 0 && names.every(isServerName);
}

const AWAY = "PINYON_UNREACHABLE";
const POSTPONED = "what waits for it is to be sent when it is back, which it will tell";
const NOT_FOUND = { status: 404 };

/** The head of an answer from what is kept. */
const KEPT = { status: 200, rawHeaders: ["content-type", "application/json"] };

const ABSENCE: readonly string[] = [AWAY, "PINYON_HOMESERVER_ANSWER", "PINYON_TIMEOUT", "PINYON_BODY_BROKEN"];

/** True for every answer that a homeserver may take keys from: they take any 2xx as a success. */
function isSuccess({ status }: WholeAnswer): boolean {
  return status < 400;
}

function isAbsence(error: unknown): boolean {
  return ABSENCE.includes(federationErrorOf(error).code);
}

function giveWhole(question: Question, { status, rawHeaders }: Omit<WholeAnswer, "body">, body: Uint8Array): void {
  // The body may have been made anew: its length is ours, and it is not encoded.
  const { "content-length": _, ...headers } = passResponseHeaders(rawHeaders);
  question.answer(status, { ...headers, "content-length": String(body.length) }).end(body);
}
