import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { DirectNetwork } from "../classic/network.js";
import { delegateOf, placesOf } from "../classic/route.js";
import { type ClassicName, parseClassicName } from "../classic/server-name.js";
import type { Authorities } from "../classic/tls.js";
import { WellKnown } from "../classic/well-known.js";
import { awaitClientHello } from "../client-hello.js";
import { FederationError, federationErrorOf } from "../errors.js";
import type { Question } from "../exchange.js";
import { checkRawHeaders, headerValues } from "../headers.js";
import { http2Question } from "../http2.js";
import { join } from "../join.js";
import type { RemoteNode, Timers } from "../overlay.js";
import { type Accounts, Charge, Ledger, NO_QUOTA, type Quota } from "../quota.js";
import { TLS_PORTS, USER_PORT_MIN } from "../request-line.js";
import type { FederationStats } from "../stats.js";
import { type OpenUse, type Use, Uses } from "../use.js";
import { EXIT_ACCOUNTS_MAX, EXIT_IDLE_MS, EXIT_SERVICES_MAX } from "./config.js";

/** Where a node asks an exit whether it would let it out. */
export const EXIT_PATH = "/_pinyon/v1/exit";
/** Where a node asks an exit for the SRV records of a name that follows. */
export const SERVICES_PATH = "/_pinyon/v1/services/";
/** Says for which server the way out is: where the host or port to connect to is not the server's own, that is looked up again. */
export const SERVER_HEADER = "pinyon-server";

/** True for what is asked of an exit, beside CONNECT. */
export const isExitPath = (path: string): boolean => path === EXIT_PATH || path.startsWith(SERVICES_PATH);

const SERVICES = /^\/_pinyon\/v1\/services\/(_matrix(?:-fed)?\._tcp\.([a-z0-9.-]+))$/;

export interface ExitRules {
  /** Keys in hex of those who may use the exit. */
  readonly allow: ReadonlySet<string>;
  /** Domains to whose hosts nobody is let out, in lower case. */
  readonly deny: readonly string[];
  readonly quota: Quota;
}

/** Nobody is let out. */
export const CLOSED: ExitRules = { allow: new Set(), deny: [], quota: NO_QUOTA };

export interface ExitOptions {
  readonly rules: ExitRules;
  readonly network: DirectNetwork;
  /** Of the certificates of well-known. */
  readonly authorities: Authorities;
  readonly stats: FederationStats;
  readonly timers: Timers;
  readonly wallMs: () => number;
  readonly random: () => number;
  readonly onUse: (use: Use) => void;
  readonly onFault: (error: unknown) => void;
}

/** Where to connect to, and the name that TLS must ask for there; undefined: none. */
interface Target extends ClassicName {
  readonly port: number;
  readonly sni: string | undefined;
}

/**
 * Lets other nodes out to classic servers: each stream is a TCP connection, in which they run TLS with the server. It can neither read nor
 * change what passes, and leads to servers alone: to hosts of the Internet, at the ports of Matrix or those that the named server is
 * looked up to have, and begins with TLS for that server.
 */
export class Exit {
  readonly #options: ExitOptions;
  readonly #ledger: Ledger;
  readonly #uses: Uses;
  #rules: ExitRules;
  readonly #wellKnown: WellKnown;

  constructor(options: ExitOptions) {
    const { timers, wallMs, stats } = options;
    this.#options = options;
    this.#rules = options.rules;
    this.#uses = new Uses(options);
    this.#ledger = new Ledger({
      quota: () => this.#rules.quota,
      code: "PINYON_EXIT_QUOTA",
      accountsMax: EXIT_ACCOUNTS_MAX,
      timers,
      wallMs,
      onEviction: () => stats.ledgerEvictions++,
    });
    this.#wellKnown = new WellKnown(options);
  }

  /** Goes by other rules from now on, and cuts the streams that they forbid. */
  setRules(rules: ExitRules): void {
    this.#rules = rules;
    this.#uses.cut(({ key, host }) => !rules.allow.has(key) || this.#isDenied(host));
  }

  /** What each key used since the node runs. */
  accounts(): Accounts {
    return this.#ledger.accounts();
  }

  /** The uses that are not over. */
  openUses(): Use[] {
    return this.#uses.list();
  }

  /** Another node wants out, or asks for SRV records. */
  async handle(
    remote: RemoteNode,
    request: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
  ): Promise<void> {
    const { stats, onFault } = this.#options;
    const key = Buffer.from(remote.key).toString("hex");
    const question = http2Question(request, headers);
    stats.exitRequests++;
    try {
      checkRawHeaders(rawHeaders);
      if (!this.#rules.allow.has(key))
        throw new FederationError("PINYON_EXIT_FORBIDDEN", "this node is not on its list");
      if (headers[":path"] === EXIT_PATH) this.#tell(key, question, headers);
      else if (headers[":method"] !== "CONNECT") await this.#giveServices(key, request, headers);
      else await this.#connect(key, request, await this.#target(headers, rawHeaders));
      stats.exitAnswers++;
    } catch (thrown) {
      const error = federationErrorOf(thrown);
      stats.exitErrors[error.code]++;
      if (error.code === "PINYON_INTERNAL") onFault(thrown);
      question.fail(error);
    }
  }

  #tell(key: string, question: Question, headers: IncomingHttpHeaders): void {
    if (headers[":method"] !== "GET") throw new FederationError("PINYON_PATH");
    this.#ledger.check(key);
    question.answer(200, {}).end();
  }

  async #giveServices(key: string, request: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const [, name = "", domain = ""] = SERVICES.exec(headers[":path"] ?? "") ?? [];
    if (headers[":method"] !== "GET" || parseClassicName(domain)?.isAddress !== false) {
      throw new FederationError("PINYON_PATH");
    }
    this.#requireAllowed(domain);
    this.#ledger.connect(key);
    const services = await this.#options.network.services(name);
    if (request.destroyed || request.closed) return;
    request.respond({ ":status": 200, "content-type": "application/json" });
    request.end(JSON.stringify({ services: services.slice(0, EXIT_SERVICES_MAX) }));
  }

  async #target(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): Promise<Target> {
    const { ":authority": authority = "" } = headers;
    const place = parseClassicName(authority);
    const [named, ...more] = headerValues(rawHeaders, SERVER_HEADER);
    if (place?.port === undefined || more.length > 0) throw new FederationError("PINYON_CONNECT_TARGET", authority);
    this.#requireAllowed(place.host);
    const target = { ...place, port: place.port };
    if (named === undefined) return { ...requirePort(target, TLS_PORTS.has(target.port)), sni: sniOf(place) };
    const server = parseClassicName(named);
    if (server === undefined) throw new FederationError("PINYON_CONNECT_TARGET", named);
    // The port that a name states is anybody's wish; the one that its owner states is his own.
    requirePort(target, TLS_PORTS.has(target.port) || (server.port === undefined && target.port >= USER_PORT_MIN));
    const delegate = await delegateOf(server, this.#wellKnown);
    this.#requireAllowed(delegate.host);
    const places = await placesOf(delegate, this.#options.network, this.#options.random);
    const isOne = places.some(({ host, port }) => host.toLowerCase() === target.host && port === target.port);
    if (!isOne) throw new FederationError("PINYON_CONNECT_TARGET", `${authority} is no place of ${named}`);
    return { ...target, sni: sniOf(delegate) };
  }

  #requireAllowed(host: string): void {
    if (this.#isDenied(host)) throw new FederationError("PINYON_EXIT_FORBIDDEN", `${host} is denied`);
  }

  #isDenied(host: string): boolean {
    return this.#rules.deny.some((domain) => host === domain || host.endsWith(`.${domain}`));
  }

  async #connect(key: string, request: ServerHttp2Stream, target: Target): Promise<void> {
    const { network, timers } = this.#options;
    const { host, port } = target;
    const charge = new Charge();
    charge.add(this.#ledger, key);
    const use = this.#uses.begin({ way: "exit", key, host, port }, () => request.destroy());
    try {
      const socket = await network.open(host, port);
      socket.on("error", () => {});
      use.address = socket.remoteAddress;
      if (request.destroyed || request.closed) {
        socket.destroy();
        return;
      }
      request.respond({ ":status": 200 });
      await this.#requireHello(request, target).catch((error: unknown) => {
        socket.destroy();
        throw error;
      });
      await join(request, socket, EXIT_IDLE_MS, timers, (sizeBytes) => this.#mayPass(charge, use, sizeBytes));
    } finally {
      charge.end();
      use.end();
    }
  }

  async #requireHello(request: ServerHttp2Stream, { host, sni }: Target): Promise<void> {
    const hello = await awaitClientHello(request, this.#options.timers);
    if (hello === undefined) throw new FederationError("PINYON_EXIT_HELLO", "no TLS");
    if (hello.serverName !== sni) {
      throw new FederationError("PINYON_EXIT_HELLO", `TLS for ${hello.serverName ?? "no name"}, at ${host}`);
    }
  }

  /** Counts what passes; false where the account's day is used up. */
  #mayPass(charge: Charge, use: OpenUse, sizeBytes: number): boolean {
    const { stats } = this.#options;
    use.sizeBytes += sizeBytes;
    stats.exitBytes += sizeBytes;
    if (charge.pass(sizeBytes)) return true;
    stats.exitErrors.PINYON_EXIT_QUOTA++;
    return false;
  }
}

function sniOf({ host, isAddress }: ClassicName): string | undefined {
  return isAddress ? undefined : host;
}

function requirePort<T extends { text: string }>(target: T, isAllowed: boolean): T {
  if (!isAllowed) throw new FederationError("PINYON_CONNECT_TARGET", target.text);
  return target;
}
