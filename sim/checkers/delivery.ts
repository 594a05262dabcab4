import { PACKET_DROP_LABEL, PacketDrop } from "../../src/session/codes.js";
import { equalBytes } from "../../src/wire/bytes.js";
import { dataDestination } from "../../src/wire/data.js";
import { Kind } from "../../src/wire/kinds.js";
import { ANYONE, isProbe, probeTarget } from "../../src/wire/probe.js";
import type { Host } from "../host.js";
import { type Checker, honestNodes, type MakeChecker } from "./checker.js";

/** Packets that no node may ever be handed: they were for another key, or somebody changed them. */
const NEVER = [PacketDrop.MALFORMED, PacketDrop.HANDSHAKE_INVALID, PacketDrop.KEY_MISMATCH, PacketDrop.NOT_AUTHENTIC];

/** No node takes, or answers, what is for another key; and what is for it, it takes once. */
export const delivery: MakeChecker = (context, fail): Checker => {
  /** The frame that the host is at, and its counters before. */
  let waiting: { readonly host: Host; readonly isFor: boolean; readonly before: readonly number[] } | undefined;
  const countersOf = (host: Host) => {
    const { stats, paths } = host.node!.router;
    return [stats.delivered, paths.stats.probesAnswered];
  };
  const isFor = (host: Host, frame: Uint8Array) => {
    if (frame[1] === Kind.DATA) return equalBytes(dataDestination(frame), host.key);
    const target = probeTarget(frame);
    return equalBytes(target, host.key) || equalBytes(target, ANYONE);
  };
  return {
    handleDelivery(host, _end, message) {
      const isFrame = message[1] === Kind.DATA || (message[1] === Kind.PROBE && isProbe(message));
      waiting =
        isFrame && host.node !== undefined && context.isHonest(host)
          ? { host, isFor: isFor(host, message), before: countersOf(host) }
          : undefined;
    },
    handleSettled(host) {
      if (waiting?.host !== host || host.node === undefined) return;
      const took = countersOf(host).reduce((sum, counter, i) => sum + counter - waiting!.before[i]!, 0);
      if (took > (waiting.isFor ? 1 : 0)) fail(`node ${host.index} took a frame that is for another key`);
      waiting = undefined;
    },
    handleSecond() {
      for (const { index, node } of honestNodes(context)) {
        const { drops } = node!.status().counters.sessions;
        for (const drop of NEVER)
          if (drops[drop]! > 0) fail(`node ${index} dropped a packet as ${PACKET_DROP_LABEL[drop]}`);
      }
    },
  };
};
