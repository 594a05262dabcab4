import type { Host } from "./host.js";
import type { Network } from "./network.js";
import { hostsOf } from "./parts.js";
import type { Random } from "./random.js";
import { Ways } from "./ways.js";

/** One node looked for another that it had not looked for. */
export interface Contact {
  readonly from: number;
  readonly to: number;
  readonly atMs: number;
  /** When the reply was there; undefined where it was not in time. */
  answeredMs: number | undefined;
  /** Hops of the way that the reply came by. */
  hops: number;
  /** Its time is over. */
  isJudged: boolean;
  /** An end went away meanwhile: it says nothing. */
  isVoid: boolean;
}

/**
 * A contact succeeds that is answered within this, beyond the least round trip that the links allowed when it began: on a geometric
 * graph of a thousand nodes and links of 5 to 50 ms that alone is 1.7 s on average, over 2 s for 38 % of pairs, and up to 4.5 s.
 */
export const CONTACT_MS = 2_000;
/** Who asks in vain asks again this much later, as sessions do. */
const RETRY_MS = 1_000;
/** A node that is younger is not asked for: it is still joining. */
const JOINED_MS = 3_000;
/** Who can reach whom is looked at this often. */
const WAYS_MS = 250;

/** First contacts, so many a second, between nodes that links join at that moment. */
export class Contacts {
  readonly all: Contact[] = [];
  perSecond = 0;
  #ways = new Ways(0, []);
  #parts: Host[][] = [];
  #waysMs = Number.NEGATIVE_INFINITY;
  #isRunning = false;
  /** Contacts that are not judged yet. */
  #open = 0;

  constructor(
    private readonly network: Network,
    private readonly random: Random,
    private readonly counts: (host: Host) => boolean = () => true,
  ) {}

  start(perSecond: number): void {
    this.perSecond = perSecond;
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#next();
  }

  /** Those that began in a span of time, and whose time is over. */
  between(fromMs: number, untilMs: number): Contact[] {
    return this.all.filter(({ atMs, isJudged, isVoid }) => isJudged && !isVoid && atMs >= fromMs && atMs < untilMs);
  }

  /** Asks nobody any more, and runs until all that began are judged. */
  finish(): void {
    this.perSecond = 0;
    while (this.#open > 0) this.network.run(WAYS_MS);
  }

  /** The share that succeeded; undefined where there was none. */
  static share(contacts: readonly Contact[]): number | undefined {
    if (contacts.length === 0) return undefined;
    return contacts.filter(({ answeredMs }) => answeredMs !== undefined).length / contacts.length;
  }

  #next(): void {
    if (this.perSecond === 0) {
      this.#isRunning = false;
      return;
    }
    this.#ask();
    this.network.schedule.after(1_000 / this.perSecond, () => this.#next());
  }

  #ask(): void {
    const { nowMs } = this.network;
    if (nowMs - this.#waysMs >= WAYS_MS) this.#look();
    if (this.#parts.length === 0) return;
    const part = this.random.pick(this.#parts);
    const from = this.random.pick(part);
    let to = this.random.pick(part);
    while (to === from) to = this.random.pick(part);
    if (!from.isReading || !to.isReading) return;
    const ends = [from.node, to.node];
    const ways = this.#ways;
    const contact: Contact = {
      from: from.index,
      to: to.index,
      atMs: nowMs,
      answeredMs: undefined,
      hops: 0,
      isJudged: false,
      isVoid: false,
    };
    this.all.push(contact);
    this.#open++;
    const judge = () => {
      contact.isJudged = true;
      contact.isVoid = from.node !== ends[0] || to.node !== ends[1] || !from.isReading || !to.isReading;
      this.#open--;
    };
    // The shortest way is looked for where it matters: it takes as long as the nodes do to find theirs.
    this.network.schedule.after(CONTACT_MS, () => {
      if (contact.answeredMs !== undefined) judge();
      else this.network.schedule.after(2 * ways.delayMs(from.index, to.index), judge);
    });
    this.#search(contact, from, to);
  }

  #look(): void {
    const { network, counts } = this;
    this.#waysMs = network.nowMs;
    this.#ways = Ways.now(network, counts);
    const isIn = (host: Host) => network.nowMs - host.sinceMs >= JOINED_MS;
    this.#parts = hostsOf(network, this.#ways, counts)
      .map((part) => part.filter(isIn))
      .filter((part) => part.length > 1);
  }

  #search(contact: Contact, from: Host, to: Host): void {
    this.network.ask("lookup", from.index, to.key, ({ ok, route }) => {
      if (contact.isJudged) return;
      if (ok) {
        contact.answeredMs = this.network.nowMs;
        contact.hops = route.length;
      } else
        this.network.schedule.after(RETRY_MS, () => {
          if (from.isReading) this.#search(contact, from, to);
        });
    });
  }
}
