import { equalBytes } from "../../src/wire/bytes.js";
import { DropReason } from "../../src/wire/codes.js";
import { dataDestination, dataHops } from "../../src/wire/data.js";
import { Kind } from "../../src/wire/kinds.js";
import type { Host } from "../host.js";
import type { LinkEnd } from "../link.js";
import type { Checker, MakeChecker } from "./checker.js";

/** What a node had counted, and sent, of the kinds that are looked at. */
interface Counts {
  readonly forwarded: number;
  readonly delivered: number;
  readonly dropped: number;
  /** Drops that may be of frames that waited: they made room, or their link is gone. */
  readonly fromQueues: number;
  /** Probes answered, and replies that ended a question, came late or were bad. */
  readonly taken: number;
  readonly left: number;
}

/**
 * Each frame that comes has one fate, and it is counted: a DATA frame is delivered, sent on or dropped; a probe or reply is taken,
 * sent on or dropped. At a node that has no session a DATA frame for another changes one counter, once.
 */
export const fates: MakeChecker = (context, fail): Checker => {
  const left = new WeakMap<Host, number>();
  const withSessions = new WeakSet<Host>();
  let waiting:
    | { readonly host: Host; readonly kind: number; readonly isPassing: boolean; readonly before: Counts }
    | undefined;
  const countsOf = (host: Host): Counts => {
    const { stats, paths } = host.node!.router;
    const { probesAnswered, repliesTaken, repliesLate, repliesBad } = paths.stats;
    let dropped = 0;
    for (const frames of stats.drops) dropped += frames;
    return {
      forwarded: stats.forwarded,
      delivered: stats.delivered,
      dropped,
      fromQueues: stats.drops[-DropReason.QUEUE_FULL]! + stats.drops[-DropReason.LINK_DOWN]!,
      taken: probesAnswered + repliesTaken + repliesLate + repliesBad,
      left: left.get(host) ?? 0,
    };
  };
  return {
    handleTransmit(host, _end, message) {
      if (message[1] === Kind.PROBE || message[1] === Kind.PROBE_REPLY) left.set(host, (left.get(host) ?? 0) + 1);
      // Whoever sends frames of its own has, or is about to have, a session.
      else if (message[1] === Kind.DATA && dataHops(message) <= 1) withSessions.add(host);
    },
    handleDelivery(host, end, message) {
      const kind = message[1]!;
      const isLookedAt = kind === Kind.DATA || kind === Kind.PROBE || kind === Kind.PROBE_REPLY;
      if (!isLookedAt || host.node === undefined || !context.isHonest(host) || !isUp(host, end)) return;
      const isPassing = kind === Kind.DATA && !equalBytes(dataDestination(message), host.key);
      waiting = { host, kind, isPassing, before: countsOf(host) };
    },
    handleSettled(host) {
      if (waiting?.host !== host || host.node === undefined) return;
      const { kind, isPassing, before } = waiting;
      waiting = undefined;
      const after = countsOf(host);
      const dropped = after.dropped - before.dropped;
      if (kind === Kind.DATA) {
        const counted = dropped + after.forwarded - before.forwarded + after.delivered - before.delivered;
        if (counted < 1) fail(`node ${host.index} counted nothing where a DATA frame came`);
        if (isPassing && counted > 1 && !withSessions.has(host) && after.fromQueues === before.fromQueues)
          fail(`node ${host.index} counted ${counted} things where one DATA frame passed`);
      } else if (dropped + after.taken - before.taken + after.left - before.left < 1 && !hasProbes(host))
        fail(`node ${host.index} counted nothing where a ${kind === Kind.PROBE ? "probe" : "reply"} came`);
    },
  };
};

function isUp(host: Host, end: LinkEnd): boolean {
  for (const up of host.ports.values()) if (up === end.number) return true;
  return false;
}

/** Something waits in a queue: it may be what came. */
function hasProbes(host: Host): boolean {
  for (const port of host.ports.keys()) if ((host.node!.router.queue(port)?.probeBytes ?? 0) > 0) return true;
  return false;
}
