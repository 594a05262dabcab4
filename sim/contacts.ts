import type { Host } from "./host.js";
import type { Network } from "./network.js";
import { partsNow } from "./parts.js";
import type { Random } from "./random.js";

/** One node looked for another that it had not looked for. */
export interface Contact {
  readonly from: number;
  readonly to: number;
  readonly atMs: number;
  /** When the reply was there; undefined where it was not in time. */
  answeredMs: number | undefined;
  /** Hops of the way that the reply came by. */
  hops: number;
  /** An end went away meanwhile, or is the same node: it says nothing. */
  isVoid: boolean;
}

/** A contact that is answered within this succeeds. */
export const CONTACT_MS = 2_000;
/** Who asks in vain asks again this much later, as sessions do. */
const RETRY_MS = 1_000;
/** A node that is younger is not asked for: it is still joining. */
const JOINED_MS = 3_000;
/** Who can reach whom is looked at this often. */
const PARTS_MS = 250;

/** First contacts, so many a second, between nodes that links join at that moment. */
export class Contacts {
  readonly all: Contact[] = [];
  perSecond = 0;
  #parts: Host[][] = [];
  #partsMs = Number.NEGATIVE_INFINITY;
  #isRunning = false;

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
    const judgedMs = this.network.nowMs - CONTACT_MS;
    return this.all.filter(({ atMs, isVoid }) => !isVoid && atMs >= fromMs && atMs < untilMs && atMs <= judgedMs);
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
    if (nowMs - this.#partsMs >= PARTS_MS) {
      this.#partsMs = nowMs;
      const isIn = (host: Host) => this.counts(host) && nowMs - host.sinceMs >= JOINED_MS;
      this.#parts = partsNow(this.network, this.counts)
        .map((part) => part.filter(isIn))
        .filter((part) => part.length > 1);
    }
    if (this.#parts.length === 0) return;
    const part = this.random.pick(this.#parts);
    const [from, to] = [this.random.pick(part), this.random.pick(part)];
    if (from === to || !from.isReading || !to.isReading) return;
    const ends = [from.node, to.node];
    const contact = { from: from.index, to: to.index, atMs: nowMs, answeredMs: undefined, hops: 0, isVoid: false };
    this.all.push(contact);
    this.#search(contact, from, to);
    this.network.schedule.after(CONTACT_MS, () => {
      contact.isVoid = from.node !== ends[0] || to.node !== ends[1] || !from.isReading || !to.isReading;
    });
  }

  #search(contact: Contact, from: Host, to: Host): void {
    this.network.ask("lookup", from.index, to.key, ({ ok, route }) => {
      const { nowMs } = this.network;
      const isInTime = nowMs - contact.atMs <= CONTACT_MS;
      if (ok && isInTime) {
        contact.answeredMs = nowMs;
        contact.hops = route.length;
      } else if (!ok && isInTime)
        this.network.schedule.after(RETRY_MS, () => {
          if (from.isReading) this.#search(contact, from, to);
        });
    });
  }
}
