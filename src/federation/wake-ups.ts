import { z } from "zod";
import { isClassicForm, isServerName } from "../wire/name.js";
import {
  ASKED_GAP_MS,
  ASKED_JITTER_MS,
  ASKED_MAX,
  ASKED_WINDOW_MS,
  KEEP_CHANGE_MS,
  KEEP_ORDER_MS,
  OWED_BACK_OFF,
  OWED_FOR_MS,
  OWED_MAX,
  RECENT_PEERS_MAX,
  WAKE_BACK_OFF,
  WAKE_GAP_MS,
  WAKE_JITTER_MS,
  WAKE_TRIES_MAX,
  WOKEN_FOR_MS,
} from "./config.js";
import type { FederationOverlay, Timers } from "./overlay.js";
import { Retries } from "./retries.js";
import type { FederationStats } from "./stats.js";
import { askForWakeUp } from "./wake-request.js";

const NEVER_MS = Number.NEGATIVE_INFINITY;
const name = z.string().refine((value) => isServerName(value) || isClassicForm(value));
/** What outlives the process. */
export const WakeUpStateSchema = z.strictObject({
  /** Servers with which traffic passed, the latest first. */
  recent: z.array(name).max(RECENT_PEERS_MAX),
  /** Servers that owe a wake-up, and when the homeserver was last told to wait for it (Unix time in ms). */
  owed: z.array(z.strictObject({ name, toldWallMs: z.int() })).max(OWED_MAX),
});
export type WakeUpState = z.output<typeof WakeUpStateSchema>;

export interface KeptWakeUps {
  load(): Promise<WakeUpState>;
  /** Writes it soon. */
  save(state: WakeUpState): void;
  /** Settles when all that was saved is written. */
  written(): Promise<void>;
}

export interface WakeUpsOptions {
  readonly overlay: FederationOverlay;
  readonly timers: Timers;
  /** Unix time in ms. */
  readonly wallMs: () => number;
  /** 0 ≤ x < 1, for the jitter. */
  readonly random: () => number;
  readonly stats: FederationStats;
  readonly kept: KeptWakeUps;
  /**
   * Sends a transaction without content, signed, to the homeserver of that name: by it that learns that ours is back, and delivers what it
   * holds for it. True where it answered 200. It settles by itself, within two `KEY_TIMEOUT_MS` and a handshake.
   */
  readonly sendSigned: (name: string) => Promise<boolean>;
  /**
   * The node cannot sign as its homeserver, so that it wakes nobody who asks: `sendSigned` does what it can for those that it had to do with.
   */
  readonly isUnsigned?: boolean;
}

/**
 * Wake-ups: signed requests by which a homeserver that holds messages for another learns that the other is back. Those that this node
 * sends come of its return (`handleConnected`), or are asked for (`handleAsked`). Those that are owed to this node's own homeserver
 * (`owe`) it asks for itself, as the other node may know nothing of them, until they are paid.
 */
export class WakeUps {
  readonly #options: WakeUpsOptions;
  /** By name, when it was last woken; the peer of the latest traffic last. */
  readonly #recent = new Map<string, number>();
  /** By name, when the homeserver was last told to wait (Unix time). */
  readonly #owed = new Map<string, number>();
  /** By name, when it last asked; the latest last. */
  readonly #asked = new Map<string, number>();
  /** Asking others, waking recent peers, and waking those that asked. */
  readonly #asks: Retries;
  readonly #wakes: Retries;
  readonly #answers: Retries;
  #cancelRound: (() => void) | undefined;
  #cancelSave: (() => void) | undefined;
  /** When it will be saved; after a stop, in the past. */
  #saveMs = Number.POSITIVE_INFINITY;
  #savedMs = NEVER_MS;

  constructor(options: WakeUpsOptions) {
    const { timers, random } = options;
    this.#options = options;
    this.#asks = new Retries({
      timers,
      random,
      backOff: OWED_BACK_OFF,
      triesMax: Number.POSITIVE_INFINITY,
      gapMs: WAKE_GAP_MS,
      attempt: (name) => this.#ask(name),
    });
    const wake = { timers, random, backOff: WAKE_BACK_OFF, attempt: (name: string) => this.#wake(name) };
    this.#wakes = new Retries({ ...wake, triesMax: WAKE_TRIES_MAX, gapMs: WAKE_GAP_MS });
    // Whoever asked asks again.
    this.#answers = new Retries({ ...wake, triesMax: 1, gapMs: ASKED_GAP_MS });
  }

  /** Takes up what was kept; to be called once, before anything else. */
  async start(): Promise<void> {
    const { recent, owed } = await this.#options.kept.load();
    for (const name of recent.toReversed()) this.#recent.set(name, NEVER_MS);
    for (const { name, toldWallMs } of owed) {
      // A clock that was ahead must not have one owe for longer than that is.
      this.#owed.set(name, Math.min(toldWallMs, this.#options.wallMs()));
      this.#asks.add(name, this.#options.random() * OWED_BACK_OFF.firstMs);
    }
  }

  /** Ends for good what is under way; settles when what is to be kept is written. */
  async stop(): Promise<void> {
    for (const retries of [this.#asks, this.#wakes, this.#answers]) retries.stop();
    this.#cancelRound?.();
    if (this.#cancelSave !== undefined) this.#save();
    this.#saveMs = NEVER_MS;
    await this.#options.kept.written();
  }

  /** Federation traffic passed with that server. */
  noteContact(name: string): void {
    const wokenMs = this.#recent.get(name);
    this.#recent.delete(name);
    this.#recent.set(name, wokenMs ?? NEVER_MS);
    for (const oldest of this.#recent.keys()) {
      if (this.#recent.size <= RECENT_PEERS_MAX) break;
      this.#recent.delete(oldest);
      this.#options.stats.recentPeerEvictions++;
    }
    this.#saveLater(wokenMs === undefined ? KEEP_CHANGE_MS : KEEP_ORDER_MS);
  }

  /**
   * The homeserver is about to be told that it shall wait for that server: from now on this node looks for it. False, counted, where
   * too many owe: the homeserver must not be told so.
   */
  owe(name: string): boolean {
    const { stats, random, wallMs } = this.#options;
    if (!this.#owed.has(name)) {
      if (this.#owed.size >= OWED_MAX) {
        stats.wakeUpsNotOwed++;
        return false;
      }
      this.#asks.add(name, (0.5 + 0.5 * random()) * OWED_BACK_OFF.firstMs);
    }
    this.#owed.set(name, wallMs());
    this.#saveLater(KEEP_CHANGE_MS);
    return true;
  }

  /** A transaction of that server reached the homeserver, or one of the homeserver reached it, and was answered with 200. */
  handlePaid(name: string): void {
    if (this.#owed.has(name)) this.#forget(name);
  }

  /** That server was away and is alive again: if it owes a wake-up it is asked at once. */
  handleBack(name: string): void {
    if (this.#owed.has(name)) this.#asks.add(name, 0);
  }

  /**
   * The node of that server, as its session proved, asks for a wake-up. True where it will be sent, soon. Else it asks too often, or too
   * many strangers ask; recent peers are not held back by these. Those who may ask in a window bound what is kept of them.
   */
  handleAsked(name: string): boolean {
    const nowMs = this.#options.timers.nowMs();
    for (const [earlier, askedMs] of this.#asked) {
      if (nowMs - askedMs < ASKED_WINDOW_MS) break;
      this.#asked.delete(earlier);
    }
    const crowded = this.#asked.size >= ASKED_MAX && !this.#recent.has(name);
    if (this.#options.isUnsigned || crowded || this.#asked.has(name)) {
      this.#options.stats.wakeUpsHeld++;
      return false;
    }
    this.#asked.set(name, nowMs);
    this.#answers.add(name, this.#options.random() * ASKED_JITTER_MS);
    return true;
  }

  /**
   * The homeserver can be reached by others after a time when it could not: the node has its first link, or the homeserver is up again.
   * Recent peers are woken, the latest first, and those that owe a wake-up are asked.
   */
  handleConnected(): void {
    const { timers, random, stats } = this.#options;
    this.#cancelRound ??= timers.after(random() * WAKE_JITTER_MS, () => {
      this.#cancelRound = undefined;
      for (const [name, wokenMs] of [...this.#recent].toReversed()) {
        if (timers.nowMs() - wokenMs >= WOKEN_FOR_MS) this.#wakes.add(name, 0);
        else stats.wakeUpsHeld++;
      }
      for (const name of this.#owed.keys()) this.#asks.add(name, 0);
    });
  }

  #forget(name: string): void {
    this.#owed.delete(name);
    this.#asks.delete(name);
    this.#saveLater(KEEP_CHANGE_MS);
  }

  async #ask(name: string): Promise<boolean> {
    const { overlay, timers, stats, wallMs } = this.#options;
    if (wallMs() - this.#owed.get(name)! >= OWED_FOR_MS) {
      stats.wakeUpsGivenUp++;
      this.#forget(name);
      return true;
    }
    if (await askForWakeUp(overlay, timers, name)) {
      stats.wakeUpsAsked++;
      // It is there: from here on the back-off begins anew.
      this.handleBack(name);
    }
    // Not before it is paid.
    return false;
  }

  async #wake(name: string): Promise<boolean> {
    const { sendSigned, stats, timers } = this.#options;
    const isAwake = await sendSigned(name).catch(() => false);
    if (!isAwake) return false;
    stats.wakeUpsSent++;
    if (this.#recent.has(name)) this.#recent.set(name, timers.nowMs());
    return true;
  }

  /** Saves as soon as the last time is `gapMs` past. */
  #saveLater(gapMs: number): void {
    const { timers } = this.#options;
    const saveMs = Math.max(timers.nowMs(), this.#savedMs + gapMs);
    if (saveMs >= this.#saveMs) return;
    this.#cancelSave?.();
    this.#saveMs = saveMs;
    this.#cancelSave = timers.after(saveMs - timers.nowMs(), () => this.#save());
  }

  #save(): void {
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    this.#saveMs = Number.POSITIVE_INFINITY;
    this.#savedMs = this.#options.timers.nowMs();
    this.#options.kept.save({
      recent: [...this.#recent.keys()].toReversed(),
      owed: [...this.#owed].map(([name, toldWallMs]) => ({ name, toldWallMs })),
    });
  }
}
