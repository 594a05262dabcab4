import { FederationError } from "../errors.js";
import type { Timers } from "../overlay.js";

/** What one key may use of an exit. */
export interface ExitQuota {
  /** Streams at once. */
  readonly streams: number;
  /** Connections, and questions to DNS, begun in a minute: as many at once, and then at this rate. */
  readonly connectsPerMinute: number;
  /** Bytes of both directions in a day of UTC. */
  readonly bytesPerDay: number;
}

/** What a key uses. */
export interface ExitAccount {
  streams: number;
  /** Of the day of UTC that is number `day` since 1970. */
  bytesToday: number;
  day: number;
  /** Connections that it may begin at once, and when that was counted. */
  room: number;
  roomMs: number;
}

/** Of those who may use nothing. */
export const NO_QUOTA: ExitQuota = { streams: 0, connectsPerMinute: 0, bytesPerDay: 0 };

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** The accounts of those who may use an exit, kept while the process runs: they are as many as may use it. */
export class ExitLedger {
  readonly #accounts = new Map<string, ExitAccount>();

  constructor(
    private readonly quota: ExitQuota,
    private readonly timers: Timers,
    private readonly wallMs: () => number,
  ) {}

  /** The account of a key in hex, from which one connection is taken. Throws `PINYON_EXIT_QUOTA`, which says what is used up. */
  connect(key: string): ExitAccount {
    const account = this.#account(key);
    const { streams, connectsPerMinute, bytesPerDay } = this.quota;
    if (account.streams >= streams) throw used(`${streams} streams are open`);
    if (account.bytesToday >= bytesPerDay) throw used(`${bytesPerDay} bytes have passed today`);
    if (account.room < 1) throw used(`${connectsPerMinute} connections a minute`);
    account.room--;
    return account;
  }

  /** Bytes passed. False where the account has used up its day. */
  pass(account: ExitAccount, sizeBytes: number): boolean {
    this.#turnDay(account);
    account.bytesToday += sizeBytes;
    return account.bytesToday <= this.quota.bytesPerDay;
  }

  #account(key: string): ExitAccount {
    const nowMs = this.timers.nowMs();
    const { connectsPerMinute } = this.quota;
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = { streams: 0, bytesToday: 0, day: 0, room: connectsPerMinute, roomMs: nowMs };
      this.#accounts.set(key, account);
    }
    const refill = ((nowMs - account.roomMs) / MINUTE_MS) * connectsPerMinute;
    account.room = Math.min(connectsPerMinute, account.room + refill);
    account.roomMs = nowMs;
    this.#turnDay(account);
    return account;
  }

  #turnDay(account: ExitAccount): void {
    const day = Math.floor(this.wallMs() / DAY_MS);
    if (day === account.day) return;
    account.day = day;
    account.bytesToday = 0;
  }
}

function used(what: string): FederationError {
  return new FederationError("PINYON_EXIT_QUOTA", what);
}
