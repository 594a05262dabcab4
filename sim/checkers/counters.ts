import { equalBytes } from "../../src/wire/bytes.js";
import { DropReason } from "../../src/wire/codes.js";
import { dataDestination } from "../../src/wire/data.js";
import { Kind } from "../../src/wire/kinds.js";
import type { Host } from "../host.js";
import { type Checker, honestNodes, type MakeChecker } from "./checker.js";

/** What was seen of a node's DATA frames from outside. */
interface Seen {
  arrived: number;
  forThisNode: number;
  left: number;
}

/**
 * A node's counters add up: delivered is what came for it; each other DATA frame that came was sent on or dropped; and what was sent
 * on has left, waits, or was dropped from its queue.
 */
export const counters: MakeChecker = (context, fail): Checker => {
  const seen = new WeakMap<object, Seen>();
  const seenOf = (host: Host): Seen => {
    const node = host.node!;
    let counts = seen.get(node);
    if (counts === undefined) seen.set(node, (counts = { arrived: 0, forThisNode: 0, left: 0 }));
    return counts;
  };
  return {
    handleTransmit(host, _end, message) {
      if (message[1] === Kind.DATA) seenOf(host).left++;
    },
    handleDelivery(host, end, message) {
      // Frames on a link whose hello is not complete, or that the node gave up, are not taken.
      if (message[1] !== Kind.DATA || host.node === undefined || !isUp(host, end.number)) return;
      const counts = seenOf(host);
      counts.arrived++;
      if (equalBytes(dataDestination(message), host.key)) counts.forThisNode++;
    },
    handleSecond() {
      for (const host of honestNodes(context)) {
        const { stats } = host.node!.router;
        const { arrived, forThisNode, left } = seenOf(host);
        const dropped = stats.drops.reduce((sum, frames) => sum + frames, 0);
        const fromQueues = stats.drops[-DropReason.QUEUE_FULL]! + stats.drops[-DropReason.LINK_DOWN]!;
        const passing = arrived - forThisNode;
        const { forwarded, delivered } = stats;
        if (delivered !== forThisNode)
          fail(`node ${host.index} counts ${delivered} frames delivered, and ${forThisNode} came for it`);
        if (forwarded + dropped < passing)
          fail(`node ${host.index} sent on ${forwarded} frames and dropped ${dropped} of ${passing} that came`);
        if (left > forwarded) fail(`node ${host.index} counts ${forwarded} frames sent on, and ${left} left`);
        if (isIdle(host) && forwarded - left > fromQueues)
          fail(`node ${host.index} sent on ${forwarded} frames, of which ${left} left and ${fromQueues} were dropped`);
      }
    },
  };
};

function isUp(host: Host, link: number): boolean {
  for (const up of host.ports.values()) if (up === link) return true;
  return false;
}

function isIdle(host: Host): boolean {
  for (const port of host.ports.keys()) if ((host.node!.router.queue(port)?.dataBytes ?? 0) > 0) return false;
  return true;
}
