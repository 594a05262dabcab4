import type { Host } from "../host.js";
import { type Checker, honestNodes, type MakeChecker } from "./checker.js";

/** Bytes a second that an idle node sends over a link: to a child in each tree a heartbeat in 30 s, 12; pings and pongs, 5. */
const PER_NODE = 20;
const PER_LINK = 18;

/** Where nothing happens little is sent. */
export const idleTraffic: MakeChecker = (context, fail): Checker => {
  let before = new Map<Host, number>();
  let isQuiet = false;
  return {
    handleHealed() {
      before = new Map(context.network.hosts.map((host) => [host, host.sent.control]));
      isQuiet = true;
    },
    handleQuiet(fromMs, untilMs) {
      if (!isQuiet) return;
      for (const host of honestNodes(context)) {
        const perSecond = ((host.sent.control - (before.get(host) ?? 0)) * 1_000) / (untilMs - fromMs);
        const budget = PER_NODE + PER_LINK * host.ports.size;
        if (perSecond > budget)
          fail(
            `node ${host.index} with ${host.ports.size} links sends ${perSecond.toFixed(0)} bytes a second when idle`,
          );
      }
    },
  };
};
