import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { isServerName } from "../wire/name.js";
import type { Bindings } from "./binding/bindings.js";
import { INBOUND_PARTS, INBOUND_REQUESTS_MAX } from "./config.js";
import { FederationError, federationErrorOf } from "./errors.js";
import { exchange, type Question, type RequestHead } from "./exchange.js";
import { CLASSIC_HEADER, checkClassic } from "./gateway/classic-request.js";
import { checkRawHeaders, headerValues, passRequestHeaders, passResponseHeaders } from "./headers.js";
import type { Homeserver } from "./homeserver.js";
import { http1Question } from "./http1.js";
import { http2Question } from "./http2.js";
import type { RemoteNode, Timers } from "./overlay.js";
import { classify, type PathKind } from "./paths.js";
import type { Reachability } from "./reachability.js";
import type { FederationStats } from "./stats.js";
import type { WakeUps } from "./wake-ups.js";
import { formatXMatrix, readXMatrix, requireParties, type XMatrix } from "./x-matrix.js";

export interface InboundOptions {
  /** This node's server name. */
  readonly name: string;
  /** Undefined where the node serves none. */
  readonly homeserver: Homeserver | undefined;
  readonly bindings: Bindings;
  readonly reachability: Reachability;
  readonly wakeUps: WakeUps;
  /** Keys in hex of the gateways that may end TLS in this node's place. */
  readonly terminating: ReadonlySet<string>;
  readonly stats: FederationStats;
  readonly timers: Timers;
  readonly onFault: (error: unknown) => void;
}

/** A request of another server that may go on. */
interface Incoming {
  readonly kind: PathKind;
  /** The server whose node asks; undefined where a classic one came by a gateway. */
  readonly origin: string | undefined;
  readonly head: RequestHead;
}

/** What other nodes ask of the homeserver: checked, and passed to it as the server that the session, or a binding, proves. */
export class Inbound {
  readonly #options: InboundOptions;
  /** Requests under way: all, and by the key of the node that made them. */
  #open = 0;
  readonly #openByNode = new Map<string, number>();

  constructor(options: InboundOptions) {
    this.#options = options;
  }

  async handle(
    remote: RemoteNode,
    request: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
  ): Promise<void> {
    const node = Buffer.from(remote.key).toString("hex");
    const question = http2Question(request, headers);
    await this.#serve(node, question, () => this.#check(remote, question, headers, rawHeaders));
  }

  /** A classic server asks, by way of a gateway, `gateway` being its key in hex. Its head is one that `checkRawHeaders` lets pass. */
  async handleClassic(gateway: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const question = http1Question(request, response);
    const { method = "", url = "", rawHeaders } = request;
    const signed = headerValues(rawHeaders, "authorization");
    await this.#serve(gateway, question, async () => {
      return this.#classicRequest(method, url, rawHeaders, signed, question.hasBody);
    });
  }

  async #serve(node: string, question: Question, check: () => Promise<Incoming>): Promise<void> {
    const { stats, onFault } = this.#options;
    stats.inboundRequests++;
    this.#countOpen(node, 1);
    try {
      if (!this.#hasRoom(node)) throw new FederationError("PINYON_BUSY");
      await this.#pass(await check(), question);
      stats.inboundAnswers++;
    } catch (thrown) {
      const error = federationErrorOf(thrown);
      stats.inboundErrors[error.code]++;
      if (error.code === "PINYON_INTERNAL") onFault(thrown);
      question.fail(error);
    } finally {
      this.#countOpen(node, -1);
    }
  }

  /**
   * One node may have a part of what others leave: whoever asks for little finds room where a few whose requests never end take all
   * that they can (Choudhury and Hahne, "Dynamic Queue Length Thresholds").
   */
  #hasRoom(node: string): boolean {
    return this.#openByNode.get(node)! * INBOUND_PARTS <= INBOUND_REQUESTS_MAX - this.#open;
  }

  #countOpen(node: string, change: 1 | -1): void {
    this.#open += change;
    const ofNode = (this.#openByNode.get(node) ?? 0) + change;
    if (ofNode === 0) this.#openByNode.delete(node);
    else this.#openByNode.set(node, ofNode);
  }

  async #check(
    remote: RemoteNode,
    { hasBody }: Question,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
  ): Promise<Incoming> {
    const { name, terminating } = this.#options;
    const { ":method": method = "", ":path": path = "", ":authority": authority = "" } = headers;
    checkRawHeaders(rawHeaders);
    if (authority !== name) throw new FederationError("PINYON_DESTINATION", `asked for ${authority}, this is ${name}`);
    // What is signed comes in `x-matrix` alone: of two places one could be judged and the other believed.
    if (headers.authorization !== undefined)
      throw new FederationError("PINYON_AUTHORIZATION", "it comes in `x-matrix`");
    const values = headerValues(rawHeaders, "x-matrix");
    if (headers[CLASSIC_HEADER] !== undefined) {
      const isAllowed = terminating.has(Buffer.from(remote.key).toString("hex")) && headers[CLASSIC_HEADER] === "1";
      if (!isAllowed) throw new FederationError("PINYON_GATEWAY_FORBIDDEN");
      return this.#classicRequest(method, path, rawHeaders, values, hasBody);
    }
    const { kind, isSigned } = classify(method, path);
    const signatures = isSigned || values.length > 0 ? readXMatrix(values) : [];
    const origin = await this.#provenName(remote);
    requireParties(signatures, origin, name);
    const passed = { ...passRequestHeaders(rawHeaders), host: name, ...authorizationHeader(signatures) };
    return { kind, origin, head: { method, path, headers: passed, hasBody } };
  }

  /** The server that a node speaks for: the session has proved a name that holds its key, any other must be bound to that. */
  async #provenName({ name, key }: RemoteNode): Promise<string> {
    const stated = await name;
    if (isServerName(stated) || (await this.#options.bindings.isBound(stated, key))) return stated;
    throw new FederationError("PINYON_ORIGIN", `${stated} is not bound to the node that says so`);
  }

  #classicRequest(
    method: string,
    path: string,
    rawHeaders: readonly string[],
    signed: readonly string[],
    hasBody: boolean,
  ): Incoming {
    const { name, bindings } = this.#options;
    const { kind, signatures } = checkClassic(name, method, path, signed);
    // Of a name of which nobody knows any more who speaks for it, nothing is taken by this way either.
    for (const { origin } of signatures) bindings.known(origin.toLowerCase());
    const passed = { ...passRequestHeaders(rawHeaders), host: name, ...authorizationHeader(signatures) };
    return { kind, origin: undefined, head: { method, path, headers: passed, hasBody } };
  }

  async #pass({ kind, origin, head }: Incoming, question: Question): Promise<void> {
    const { homeserver, reachability, wakeUps, timers } = this.#options;
    if (homeserver === undefined) throw new FederationError("PINYON_NO_HOMESERVER");
    if (kind === "wake" && origin !== undefined) {
      reachability.handleAlive(origin);
      const isTaken = wakeUps.handleAsked(origin);
      question.answer(isTaken ? 202 : 429, {}).end();
      return;
    }
    const status = await exchange(question, homeserver.request(head), passResponseHeaders, timers);
    if (head.headers["authorization"] === undefined || origin === undefined) return;
    reachability.handleAlive(origin);
    if (status === 200) wakeUps.noteContact(origin);
    if (status === 200 && kind === "send") wakeUps.handlePaid(origin);
  }
}

function authorizationHeader(signatures: readonly XMatrix[]): Record<string, string[]> {
  return signatures.length === 0 ? {} : { authorization: signatures.map(formatXMatrix) };
}
