import type { Crypto } from "../src/crypto/crypto.js";
import { Contacts } from "./contacts.js";
import { type GraphKind, type GraphSpec, makeGraph } from "./graph-spec.js";
import type { Host } from "./host.js";
import { Network, type NetworkOptions } from "./network.js";
import { partsNow } from "./parts.js";
import { Random } from "./random.js";
import { walkShare } from "./walk.js";

/** A figure of ours beside its target. */
export interface Figure {
  readonly what: string;
  /** NaN where it was not reached. */
  readonly ours: number;
  readonly target: number;
  readonly unit: string;
  /** True where more is better. */
  readonly atLeast?: boolean;
}

/** One question of the table, on one graph. */
export interface Row {
  /** What `--row` names. */
  readonly name: string;
  readonly question: string;
  /** Rows of more than a thousand nodes, which only the full table has. */
  readonly isLarge?: boolean;
  run(seed: number, crypto: Crypto): Figure[];
}

export function isMet({ ours, target, atLeast = false }: Figure): boolean {
  return atLeast ? ours >= target : ours <= target;
}

/** The graphs of the table, by their letters. */
export const GRAPHS: Readonly<Record<string, GraphKind>> = {
  R: "random",
  A: "as-like",
  W: "small-world",
  G: "grid",
  M: "geometric",
};

/** First contacts are counted in windows of so long, two hundred each: the worst of them is the worst. */
export const WINDOW_MS = 4_000;
const CONTACTS_PER_S = 50;
const WALK_PAIRS = 2_000;
const STEP_MS = 250;

/** A network under measurement, and first contacts on it. */
export class Lab {
  readonly network: Network;
  readonly contacts: Contacts;
  readonly random: Random;

  constructor(seed: number, crypto: Crypto, graph: GraphSpec, options: Partial<NetworkOptions> = {}) {
    this.random = new Random(seed);
    const drawn = makeGraph(graph, this.random);
    this.network = new Network({ seed: this.random.uint32(), graph: drawn, crypto, ...options });
    this.contacts = new Contacts(this.network, this.random.fork(), (host) => host.tamper === undefined);
  }

  get largestPart(): Host[] {
    const parts = partsNow(this.network, (host) => host.tamper === undefined);
    return parts.reduce((largest, part) => (part.length > largest.length ? part : largest), []);
  }

  /** Seconds until every sampled pair of all that run is joined, and stays so for a second; NaN where that takes too long. */
  untilWhole(mostS: number): number {
    const startMs = this.network.nowMs;
    let sinceMs = Number.NaN;
    while (this.network.nowMs - startMs < mostS * 1_000) {
      const part = this.largestPart;
      const isWhole =
        part.length === this.network.hosts.filter(({ isReading }) => isReading).length &&
        walkShare(this.network, part, this.random, WALK_PAIRS) === 1;
      if (!isWhole) sinceMs = Number.NaN;
      else if (Number.isNaN(sinceMs)) sinceMs = this.network.nowMs;
      else if (this.network.nowMs - sinceMs >= 1_000) break;
      this.network.run(STEP_MS);
    }
    return (sinceMs - startMs) / 1_000;
  }

  /** Starts the contacts, runs so long, and gives those that began from now on. */
  contactFor(forS: number): ReturnType<Contacts["between"]> {
    const fromMs = this.network.nowMs;
    this.contacts.start(CONTACTS_PER_S);
    this.network.run(forS * 1_000);
    this.contacts.finish();
    return this.contacts.between(fromMs, fromMs + forS * 1_000);
  }
}

/** The worst window's share of contacts that succeeded, in percent. */
export function worstPercent(contacts: ReturnType<Contacts["between"]>): number {
  const windows = new Map<number, typeof contacts>();
  for (const contact of contacts) {
    const window = Math.floor(contact.atMs / WINDOW_MS);
    windows.set(window, [...(windows.get(window) ?? []), contact]);
  }
  return 100 * Math.min(1, ...[...windows.values()].map((window) => Contacts.share(window)!));
}

export function meanPercent(contacts: ReturnType<Contacts["between"]>): number {
  return 100 * (Contacts.share(contacts) ?? Number.NaN);
}

/** Seconds from a moment until the last contact that failed had begun: then all work again. */
export function secondsUntilAllWork(contacts: ReturnType<Contacts["between"]>, fromMs: number): number {
  const failed = contacts.filter(({ answeredMs }) => answeredMs === undefined);
  return failed.length === 0 ? 0 : (Math.max(...failed.map(({ atMs }) => atMs)) - fromMs) / 1_000;
}
