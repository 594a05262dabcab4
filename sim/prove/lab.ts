import { Contacts } from "../contacts.js";
import { type GraphSpec, makeGraph } from "../graph-spec.js";
import type { Host } from "../host.js";
import { Network, type NetworkOptions } from "../network.js";
import { partsNow } from "../parts.js";
import { Random } from "../random.js";
import { type Happening, happen, nodesOf } from "../scenario.js";
import { Traffic } from "../traffic.js";
import { walkShare } from "../walk.js";
import type { Machine } from "./row.js";

/** Until a network of a thousand has settled after its start. */
const SETTLE_MS = 15_000;
const CONTACTS_PER_S = 50;
const WALK_PAIRS = 2_000;
const STEP_MS = 250;
/** First contacts in a window, one after another, 4 s: one in two hundred that fails is the half percent that is allowed. */
const WINDOW_CONTACTS = 200;

type Judged = ReturnType<Contacts["between"]>;

/** A network under measurement, and what goes over it. */
export class Lab {
  readonly network: Network;
  readonly random: Random;
  readonly contacts: Contacts;

  constructor(seed: number, { crypto }: Machine, graph: GraphSpec, options: Partial<NetworkOptions> = {}) {
    this.random = new Random(seed);
    const drawn = makeGraph(graph, this.random);
    this.network = new Network({ seed: this.random.uint32(), graph: drawn, crypto, ...options });
    this.contacts = new Contacts(this.network, this.random.fork(), isHonest);
  }

  /** A lab whose network has settled. */
  static settled(seed: number, machine: Machine, graph: GraphSpec): Lab {
    const lab = new Lab(seed, machine, graph);
    lab.network.run(SETTLE_MS);
    return lab;
  }

  /** Seconds until every sampled pair of all that run is joined, and stays so for a second; NaN where that takes too long. */
  untilWhole(mostS: number): number {
    const startMs = this.network.nowMs;
    let sinceMs = Number.NaN;
    while (this.network.nowMs - startMs < mostS * 1_000) {
      const part = this.#largestPart();
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

  happen(...events: readonly Happening[]): void {
    for (const event of events) happen(this.network, event, this.random);
  }

  /** Starts the contacts, runs so long, and gives those that began from now on. */
  contactFor(forS: number): Judged {
    const fromMs = this.network.nowMs;
    this.contacts.start(CONTACTS_PER_S);
    this.network.run(forS * 1_000);
    this.contacts.finish();
    return this.contacts.between(fromMs, fromMs + forS * 1_000);
  }

  /** Bytes but for DATA that each node sends a second, over so long. */
  controlRates(forS: number): number[] {
    const before = this.network.hosts.map(({ sent }) => sent.control);
    this.network.run(forS * 1_000);
    return this.network.hosts.map(({ sent }, i) => (sent.control - before[i]!) / forS);
  }

  /** Sessions between so many pairs, no node in two of them, whose ends send steadily; their routes have been used for a while. */
  steadyFlows(pairs: number): Traffic {
    const traffic = new Traffic(this.network);
    const ends = this.random.shuffled(this.network.hosts.map(({ index }) => index));
    for (let i = 0; i < Math.min(pairs, Math.floor(ends.length / 2)); i++)
      traffic.sendSteadily(ends[2 * i]!, ends[2 * i + 1]!);
    this.network.run(SETTLE_MS);
    return traffic;
  }

  /** The node that is the root of a tree now. */
  rootOf(tree: number): Host {
    return nodesOf(this.network, { rootOf: tree }, this.random, [])[0]!;
  }

  #largestPart(): Host[] {
    const parts = partsNow(this.network, isHonest);
    return parts.reduce((largest, part) => (part.length > largest.length ? part : largest), []);
  }
}

export const isHonest = (host: Host): boolean => host.tamper === undefined;

/** The worst window's share of contacts that succeeded, in percent; what is left over is counted with the last. */
export function worstPercent(contacts: Judged): number {
  const count = Math.max(1, Math.floor(contacts.length / WINDOW_CONTACTS));
  const windows = Array.from({ length: count }, (_, i) =>
    contacts.slice(i * WINDOW_CONTACTS, i + 1 === count ? undefined : (i + 1) * WINDOW_CONTACTS),
  );
  return Math.min(...windows.map(meanPercent));
}

export function meanPercent(contacts: Judged): number {
  return 100 * (Contacts.share(contacts) ?? Number.NaN);
}

/** Seconds from a moment until the last contact that failed had begun: then all work again. */
export function secondsUntilAllWork(contacts: Judged, fromMs: number): number {
  const failed = contacts.filter(({ answeredMs }) => answeredMs === undefined);
  return failed.length === 0 ? 0 : (Math.max(...failed.map(({ atMs }) => atMs)) - fromMs) / 1_000;
}
