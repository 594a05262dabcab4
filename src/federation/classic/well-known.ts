import { LRUCache } from "lru-cache";
import { backOffMs } from "../back-off.js";
import { NODE_MEMBER } from "../binding/statement.js";
import { headerValues } from "../headers.js";
import { http1Passage } from "../http1.js";
import { isJsonObject, memberOf } from "../json.js";
import type { Timers } from "../overlay.js";
import type { FederationStats } from "../stats.js";
import { askWhole, type WholeAnswer } from "../whole.js";
import { within } from "../within.js";
import {
  NODE_BYTES_MAX,
  WELL_KNOWN_BACK_OFF,
  WELL_KNOWN_BYTES_MAX,
  WELL_KNOWN_DEFAULT_MS,
  WELL_KNOWN_MAX_MS,
  WELL_KNOWN_MIN_MS,
  WELL_KNOWN_NAMES_MAX,
  WELL_KNOWN_REDIRECTS_MAX,
  WELL_KNOWN_TIMEOUT_MS,
} from "./config.js";
import type { ClassicNetwork } from "./network.js";
import { type ClassicName, parseClassicName } from "./server-name.js";
import { type Authorities, startClassicTls } from "./tls.js";

const PATH = "/.well-known/matrix/server";
/** Answers by which nothing stands there, and not only now. */
const NONE: readonly number[] = [404, 410];
const HTTPS_PORT = 443;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

export interface WellKnownOptions {
  readonly network: ClassicNetwork;
  readonly authorities: Authorities;
  readonly stats: FederationStats;
  readonly timers: Timers;
  /** 0 ≤ x < 1, for the jitter. */
  readonly random: () => number;
  /** Told of each answer, or that there is none, once. */
  readonly onSaid?: (host: string, said: Said) => void;
}

/** What stands under a name. */
export interface Said {
  /** The server that it delegates to; undefined where that is none that can be understood. */
  readonly delegate: ClassicName | undefined;
  /** What binds the name to a node, as JSON, unread; empty where it is longer than it may be, undefined where nothing stands there. */
  readonly node: string | undefined;
  /** False where that cannot be known: the name's host did not answer as it should. */
  readonly isSaid: boolean;
}

/** What is known of a name, since when and until when, and how often in a row there was nothing. Times in ms on the clock of the timers. */
interface Known extends Said {
  readonly askedMs: number;
  readonly untilMs: number;
  readonly failures: number;
}

/** What the owner of a name says of where its server is: server-server API, "Resolving server names", step 3. */
export class WellKnown {
  readonly #options: WellKnownOptions;
  readonly #known: LRUCache<string, Known>;
  /** Those that are being asked for. */
  readonly #pending = new Map<string, Promise<Known>>();

  constructor(options: WellKnownOptions) {
    this.#options = options;
    this.#known = new LRUCache({
      max: WELL_KNOWN_NAMES_MAX,
      dispose: (_known, _host, why) => {
        if (why === "evict") options.stats.wellKnownEvictions++;
      },
    });
  }

  /** The server that `host`, a domain name, delegates to; undefined where it delegates to none that can be understood. Never rejects. */
  async delegateOf(host: string): Promise<ClassicName | undefined> {
    return (await this.ask(host)).delegate;
  }

  /** All that stands under `host`, as it is kept, though not where that was asked for more than `ageMs` ago. Never rejects. */
  async ask(host: string, ageMs = Number.POSITIVE_INFINITY): Promise<Said> {
    const known = this.#known.get(host);
    const nowMs = this.#options.timers.nowMs();
    if (known !== undefined && nowMs < known.untilMs && nowMs - known.askedMs < ageMs) return known;
    let pending = this.#pending.get(host);
    if (pending === undefined) {
      pending = this.#ask(host, known?.failures ?? 0).finally(() => this.#pending.delete(host));
      this.#pending.set(host, pending);
    }
    return pending;
  }

  /** It is asked for anew when it is next needed. */
  forget(host: string): void {
    this.#known.delete(host);
  }

  async #ask(host: string, failures: number): Promise<Known> {
    const { stats, timers, onSaid } = this.#options;
    stats.wellKnownLookups++;
    const asked = within(this.#follow(new URL(`https://${host}${PATH}`)), WELL_KNOWN_TIMEOUT_MS, timers);
    const answer = await asked.catch(() => undefined);
    const said = answer === undefined ? NOTHING : readSaid(answer);
    const askedMs = timers.nowMs();
    const isGood = said.delegate !== undefined || said.node !== undefined;
    if (!isGood) stats.wellKnownFailures++;
    const known = { ...said, askedMs, ...this.#keeping(answer, isGood ? 0 : failures + 1, askedMs) };
    this.#known.set(host, known);
    onSaid?.(host, said);
    return known;
  }

  #keeping(answer: WholeAnswer | undefined, failures: number, nowMs: number): { untilMs: number; failures: number } {
    const { random } = this.#options;
    const isGood = answer !== undefined && failures === 0;
    const keptMs = isGood ? validityMs(answer.rawHeaders) : backOffMs(WELL_KNOWN_BACK_OFF, failures, random);
    return { untilMs: nowMs + keptMs, failures };
  }

  /** The answer at the end of all redirects. Each leads to a host of its own, which is judged as the first is. */
  async #follow(start: URL): Promise<WholeAnswer> {
    const { timers } = this.#options;
    const endMs = timers.nowMs() + WELL_KNOWN_TIMEOUT_MS;
    let url = start;
    for (let redirects = 0; redirects <= WELL_KNOWN_REDIRECTS_MAX; redirects++) {
      const answer = await this.#get(url);
      if (!REDIRECTS.includes(answer.status)) return answer;
      const [location] = headerValues(answer.rawHeaders, "location");
      if (location === undefined || timers.nowMs() >= endMs) break;
      url = new URL(location, url);
    }
    throw new Error("redirects lead nowhere");
  }

  async #get(url: URL): Promise<WholeAnswer> {
    const { network, authorities, timers } = this.#options;
    const name = url.protocol === "https:" && url.username === "" ? parseClassicName(url.host) : undefined;
    if (name === undefined) throw new Error(`${url} is not looked at`);
    const socket = await network.open(name.host, name.port ?? HTTPS_PORT);
    const secured = await startClassicTls(socket, name, authorities, timers);
    try {
      const headers = {
        host: name.text,
        accept: "application/json",
        "accept-encoding": "identity",
        connection: "close",
      };
      const head = { method: "GET", path: url.pathname + url.search, headers, hasBody: false };
      const passage = http1Passage({ createConnection: () => secured }, head);
      return await askWhole(passage, new Uint8Array(0), WELL_KNOWN_BYTES_MAX, WELL_KNOWN_TIMEOUT_MS, timers);
    } finally {
      secured.destroy();
    }
  }
}

const NOTHING: Said = { delegate: undefined, node: undefined, isSaid: false };

function readSaid({ status, body }: WholeAnswer): Said {
  const value = status === 200 ? jsonOf(body) : undefined;
  if (!isJsonObject(value)) return { ...NOTHING, isSaid: NONE.includes(status) };
  const named = memberOf(value, "m.server");
  const node = memberOf(value, NODE_MEMBER);
  const text = node === undefined ? undefined : JSON.stringify(node);
  return {
    delegate: typeof named === "string" ? parseClassicName(named) : undefined,
    node: text === undefined || text.length <= NODE_BYTES_MAX ? text : "",
    isSaid: true,
  };
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString());
  } catch {
    return undefined;
  }
}

/** How long an answer may be kept (RFC 9111, section 4.2), in ms, within the bounds of the specification. */
function validityMs(rawHeaders: readonly string[]): number {
  return Math.min(WELL_KNOWN_MAX_MS, Math.max(WELL_KNOWN_MIN_MS, freshMs(rawHeaders)));
}

function freshMs(rawHeaders: readonly string[]): number {
  const only = (name: string) => headerValues(rawHeaders, name).join(", ");
  const directives = only("cache-control")
    .toLowerCase()
    .split(/\s*,\s*/);
  if (directives.includes("no-store") || directives.includes("no-cache")) return 0;
  const maxAge = directives.map((each) => /^max-age="?(\d{1,9})"?$/.exec(each)?.[1]).find((each) => each !== undefined);
  const ageMs = Number(/^\d{1,9}$/.exec(only("age"))?.[0] ?? 0) * 1_000;
  if (maxAge !== undefined) return Number(maxAge) * 1_000 - ageMs;
  const expires = only("expires");
  if (expires === "") return WELL_KNOWN_DEFAULT_MS;
  // By the server's own clock, and not by this one. What is no date has passed.
  const leftMs = Date.parse(expires) - Date.parse(only("date"));
  return Number.isNaN(leftMs) ? 0 : leftMs;
}
