import { Agent, type ClientRequestArgs } from "node:http";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { FederationError, federationErrorOf } from "../errors.js";
import type { Passage, RequestHead } from "../exchange.js";
import { type Http1Way, http1Passage } from "../http1.js";
import type { Timers } from "../overlay.js";
import type { Reachability } from "../reachability.js";
import { TLS_PORTS } from "../request-line.js";
import type { FederationStats } from "../stats.js";
import { within } from "../within.js";
import { CLASSIC_IDLE_MAX, CLASSIC_IDLE_MS, OPEN_TIMEOUT_MS } from "./config.js";
import type { ClassicNetwork } from "./network.js";
import { delegateOf, placesOf } from "./route.js";
import { type ClassicName, isClassicName, parseClassicName } from "./server-name.js";
import { type Authorities, startClassicTls } from "./tls.js";
import type { WellKnown } from "./well-known.js";

export interface ClassicOptions {
  readonly network: ClassicNetwork;
  readonly wellKnown: WellKnown;
  readonly authorities: Authorities;
  readonly reachability: Reachability;
  readonly stats: FederationStats;
  readonly timers: Timers;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/** Codes by which no server was reached: it is away, for all that can be known. */
const AWAY_CODES: readonly string[] = [
  "PINYON_CLASSIC_LOOKUP",
  "PINYON_CLASSIC_ADDRESS",
  "PINYON_CLASSIC_CONNECT",
  "PINYON_CLASSIC_TLS",
];

/** What the agent is given with a request: the name under which the server is asked, and the one that it was looked for by. */
interface Way extends Http1Way {
  readonly host: string;
  readonly server: string;
}

const TOO_SLOW = new FederationError("PINYON_CLASSIC_CONNECT", `not within ${OPEN_TIMEOUT_MS / 1_000} s`);

/** The servers of the classic federation, found as the specification says and asked by HTTP/1.1 over TLS. */
export class ClassicServers {
  readonly #options: ClassicOptions;
  readonly #agent: ClassicAgent;

  constructor(options: ClassicOptions) {
    this.#options = options;
    this.#agent = new ClassicAgent(options);
  }

  /**
   * Opens a request to a server. It is sent on one connection and no other, whatever becomes of it. Throws `PINYON_DESTINATION` for what is no
   * name, and `PINYON_UNREACHABLE` at once where the server is known to be away; the passage tells the rest.
   */
  async open(name: string, head: RequestHead): Promise<Passage> {
    const { reachability, wellKnown } = this.#options;
    if (!isClassicName(name)) throw new FederationError("PINYON_DESTINATION", `${name} is no server's name`);
    reachability.requireAlive(name);
    const { text } = await delegateOf(parseClassicName(name)!, wellKnown);
    const way: Way = { agent: this.#agent, host: text, server: name };
    const passage = http1Passage(way, { ...head, headers: { ...head.headers, host: text } });
    passage.answer.then(
      () => reachability.handleAlive(name),
      (error: unknown) => {
        if (AWAY_CODES.includes(federationErrorOf(error).code)) reachability.handleFailure(name);
      },
    );
    return passage;
  }

  stop(): void {
    this.#agent.destroy();
  }
}

/** Connections by the name under which a server is asked: that is what its certificate is for. */
class ClassicAgent extends Agent {
  constructor(private readonly classic: ClassicOptions) {
    super({ keepAlive: true, timeout: CLASSIC_IDLE_MS });
  }

  override getName({ host }: { host?: string | undefined } = {}): string {
    return host ?? "";
  }

  override createConnection(
    options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): null {
    const { timers } = this.classic;
    const { host, server } = options as Way;
    let isLate = false;
    const opening = this.#open(parseClassicName(host)!, server, () => isLate);
    within(opening, OPEN_TIMEOUT_MS, timers).then(
      (secured) => callback!(null, secured),
      (thrown: unknown) => {
        isLate = true;
        const error = federationErrorOf(thrown);
        (callback as (error: Error) => void)(error.code === "PINYON_TIMEOUT" ? TOO_SLOW : error);
      },
    );
    return null;
  }

  /** The platform's types know no answer; false has the connection closed. */
  override keepSocketAlive(socket: Duplex): boolean {
    const idle = Object.values(this.freeSockets).reduce((sum, sockets) => sum + (sockets?.length ?? 0), 0);
    if (idle >= CLASSIC_IDLE_MAX) return false;
    super.keepSocketAlive(socket);
    return true;
  }

  /** Fails over to the next place on a connection that cannot be made alone. One that nobody waits for any more is cut. */
  async #open(name: ClassicName, server: string, isLate: () => boolean): Promise<TLSSocket> {
    const { network, authorities, stats, timers, random } = this.classic;
    let failure: unknown;
    for (const { host, port } of await placesOf(name, network, random)) {
      if (isLate()) break;
      try {
        const isOwn = host === name.host && TLS_PORTS.has(port);
        const socket = await network.open(host, port, isOwn ? undefined : server);
        const secured = await startClassicTls(socket, name, authorities, timers);
        stats.classicConnections++;
        if (isLate()) secured.destroy();
        return secured;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}
