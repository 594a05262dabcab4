import type { RandomBytes } from "../crypto/crypto.js";
import type { Paths } from "../router/paths.js";
import { SessionState } from "../session/codes.js";
import type { Session } from "../session/session.js";
import { SharedBudget } from "../wire/budget.js";
import { equalBytes, toHex } from "../wire/bytes.js";
import { encodeLocate, encodeLocated, type LocatorNote } from "../wire/note.js";
import type { NodeConfig } from "./config.js";

/** Keys that are sought at once. */
const SOUGHT_MAX = 64;

/**
 * Where a search finds nothing, the peers of some sessions are asked whether they know where the key was. What they hand on is signed by
 * the key itself: an old or false locator costs a probe, never trust.
 */
export class LocatorExchange {
  /** Keys that peers were asked for, and the answers that may come. */
  readonly #sought = new Map<string, number>();
  readonly #answers: SharedBudget;

  constructor(
    private readonly paths: Paths,
    private readonly sessions: () => Iterable<Session>,
    private readonly random: RandomBytes,
    private readonly config: NodeConfig,
    nowMs: number,
  ) {
    this.#answers = new SharedBudget(config.locatesPerS, config.locatesBurst, nowMs);
  }

  /** Asks peers of sessions, drawn at random, for the locator of a key. */
  handleSeeking(key: Uint8Array): void {
    const peers = [...this.sessions()].filter(
      ({ state, remoteKey }) => state === SessionState.ESTABLISHED && !equalBytes(remoteKey, key),
    );
    const order = this.random(4 * peers.length);
    const drawn = peers.map((peer, i) => ({ peer, at: toHex(order.subarray(4 * i, 4 * i + 4)) }));
    drawn.sort((a, b) => (a.at < b.at ? -1 : 1)).splice(this.config.seekPeersMax);
    if (drawn.length === 0) return;
    if (this.#sought.size >= SOUGHT_MAX) this.#sought.delete(this.#sought.keys().next().value!);
    this.#sought.set(toHex(key), drawn.length);
    for (const { peer } of drawn) peer.note(encodeLocate(key));
  }

  /** A peer asks for a key's locator: it is told what is known. False where too many ask. */
  handleLocate(session: Session, key: Uint8Array, nowMs: number): boolean {
    if (!this.#answers.take(session.id, nowMs)) return false;
    const known = this.paths.locator(key);
    if (known !== undefined) session.note(encodeLocated(key, known.bytes, known.signature));
    return true;
  }

  /** A peer hands on a locator. False where none was asked for, or it is false: only as many are verified as were asked for. */
  handleLocated({ key, locator, signature }: LocatorNote): boolean {
    const name = toHex(key);
    const left = this.#sought.get(name) ?? 0;
    if (left === 0) return false;
    if (left === 1) this.#sought.delete(name);
    else this.#sought.set(name, left - 1);
    return this.paths.handleLocator(key, { bytes: locator, signature });
  }
}
