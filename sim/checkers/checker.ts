import type { Crypto } from "../../src/crypto/crypto.js";
import type { FrameLog } from "../frame-log.js";
import type { Host } from "../host.js";
import type { Network } from "../network.js";
import type { Traffic } from "../traffic.js";
import type { Watcher } from "../watcher.js";

/** A rule that does not hold: which, where, when. */
export interface Violation {
  readonly checker: string;
  readonly timeMs: number;
  readonly text: string;
}

/** What checkers look at, and whom they tell. */
export interface CheckContext {
  readonly network: Network;
  readonly crypto: Crypto;
  /** The frames under way. Watches before all checkers. */
  readonly frames: FrameLog;
  readonly traffic: Traffic;
  /** False for a node that does not keep the rules: what it has and says is its own affair. */
  isHonest(host: Host): boolean;
}

/** Looks on while a network runs, and says where a rule does not hold. */
export interface Checker extends Watcher {
  /** Called once a second of virtual time. */
  handleSecond?(nowMs: number): void;
  /** Nothing has failed for long enough: all is to be as it should be. */
  handleHealed?(nowMs: number): void;
  /** No session is open and nothing has failed between these two times. */
  handleQuiet?(fromMs: number, untilMs: number): void;
}

/** Makes a checker; `fail` tells of a violation, and may be called any number of times. */
export type MakeChecker = (context: CheckContext, fail: (text: string) => void) => Checker;

/** Hosts that run, read what comes, and keep the rules. */
export function* honestNodes({ network, isHonest }: CheckContext): Iterable<Host> {
  for (const host of network.hosts) if (host.isReading && isHonest(host)) yield host;
}
