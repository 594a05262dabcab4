import { FederationError } from "./errors.js";
import type { Timers } from "./overlay.js";

/** What one subject, a key or an address, may use of what this node does for others. */
export interface Quota {
  /** Streams at once. */
  readonly streams: number;
  /** Connections, and questions to DNS, begun in a minute: as many at once, and then at this rate. */
  readonly connectsPerMinute: number;
  /** Bytes of both directions in a day of UTC. */
  readonly bytesPerDay: number;
}

/** What a subject uses. */
export interface Account {
  streams: number;
  /** Of the day of UTC that is number `day` since 1970. */
  bytesToday: number;
  day: number;
  /** Connections that it may begin at once, and when that was counted. */
  room: number;
  roomMs: number;
  /** Connections that it began, and those refused, since the account is there. */
  connects: number;
  refusals: number;
}

/** May use nothing. */
export const NO_QUOTA: Quota = { streams: 0, connectsPerMinute: 0, bytesPerDay: 0 };

/** Accounts, each with its subject. */
export type Accounts = Iterable<readonly [subject: string, account: Account]>;

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

export interface LedgerOptions {
  /** Asked each time: it may change. */
  readonly quota: () => Quota;
  /** Of what is refused. */
  readonly code: "PINYON_EXIT_QUOTA" | "PINYON_GATEWAY_QUOTA";
  /** 200 bytes each; more than can have streams at once. */
  readonly accountsMax: number;
  readonly timers: Timers;
  readonly wallMs: () => number;
  /** An account was forgotten because there were too many. */
  readonly onEviction: () => void;
}

/** Accounts by subject, kept while the process runs. Where there are too many, one without streams that was used longest ago is forgotten. */
export class Ledger {
  /** The one used last at the end. */
  readonly #accounts = new Map<string, Account>();

  constructor(private readonly options: LedgerOptions) {}

  /** The account of a subject, from which one connection is taken. Throws the code of the ledger with what is used up. */
  connect(subject: string): Account {
    const account = this.check(subject);
    account.room--;
    account.connects++;
    return account;
  }

  /** The same, but nothing is taken. */
  check(subject: string): Account {
    const account = this.#account(subject);
    const { streams, connectsPerMinute, bytesPerDay } = this.options.quota();
    if (account.streams >= streams) throw this.#refused(account, `${streams} streams are open`);
    if (account.bytesToday >= bytesPerDay) throw this.#refused(account, `${bytesPerDay} bytes have passed today`);
    if (account.room < 1) throw this.#refused(account, `${connectsPerMinute} connections a minute`);
    return account;
  }

  /** Bytes passed. False where the account has used up its day. */
  pass(account: Account, sizeBytes: number): boolean {
    this.#turnDay(account);
    account.bytesToday += sizeBytes;
    return account.bytesToday <= this.options.quota().bytesPerDay;
  }

  /** Each subject with what it used until now. */
  *accounts(): Generator<readonly [subject: string, account: Account]> {
    for (const [subject, account] of this.#accounts) {
      this.#turnDay(account);
      yield [subject, account];
    }
  }

  #account(subject: string): Account {
    const { timers, quota } = this.options;
    const nowMs = timers.nowMs();
    const { connectsPerMinute } = quota();
    const known = this.#accounts.get(subject);
    const account = known ?? newAccount(connectsPerMinute, nowMs);
    this.#accounts.delete(subject);
    this.#accounts.set(subject, account);
    if (known === undefined) this.#evict(subject);
    const refill = ((nowMs - account.roomMs) / MINUTE_MS) * connectsPerMinute;
    account.room = Math.min(connectsPerMinute, account.room + refill);
    account.roomMs = nowMs;
    this.#turnDay(account);
    return account;
  }

  #evict(newest: string): void {
    if (this.#accounts.size <= this.options.accountsMax) return;
    for (const [subject, account] of this.#accounts) {
      if (account.streams > 0 || subject === newest) continue;
      this.#accounts.delete(subject);
      this.options.onEviction();
      return;
    }
  }

  #turnDay(account: Account): void {
    const day = Math.floor(this.options.wallMs() / DAY_MS);
    if (day === account.day) return;
    account.day = day;
    account.bytesToday = 0;
  }

  #refused(account: Account, what: string): FederationError {
    account.refusals++;
    return new FederationError(this.options.code, what);
  }
}

/** The accounts that one connection is counted on, of several ledgers. */
export class Charge {
  readonly #parts: { readonly ledger: Ledger; readonly account: Account }[] = [];
  /** Called at the end. */
  onEnd: () => void = () => {};

  /** Takes a connection from the account of `subject`, and a stream until the end. Throws as `Ledger.connect`. */
  add(ledger: Ledger, subject: string): Account {
    const account = ledger.connect(subject);
    account.streams++;
    this.#parts.push({ ledger, account });
    return account;
  }

  /** Bytes passed. False where one of the accounts has used up its day. */
  pass(sizeBytes: number): boolean {
    let mayPass = true;
    for (const { ledger, account } of this.#parts) mayPass = ledger.pass(account, sizeBytes) && mayPass;
    return mayPass;
  }

  end(): void {
    for (const { account } of this.#parts.splice(0)) account.streams--;
    this.onEnd();
    this.onEnd = () => {};
  }
}

function newAccount(room: number, nowMs: number): Account {
  return { streams: 0, bytesToday: 0, day: 0, room, roomMs: nowMs, connects: 0, refusals: 0 };
}
