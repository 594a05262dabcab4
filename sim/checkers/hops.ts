import { dataHops, dataRouteLength } from "../../src/wire/data.js";
import { Kind } from "../../src/wire/kinds.js";
import { HOP_LIMIT, ROUTE_HOPS_MAX, TREE_DEPTH_MAX } from "../../src/wire/limits.js";
import { probeHops } from "../../src/wire/probe.js";
import { type Checker, honestNodes, type MakeChecker } from "./checker.js";

/** Every hop is counted, and none is above its limit: of frames, of routes, of the depth in a tree. */
export const hops: MakeChecker = (context, fail): Checker => ({
  handleDelivery(host, _end, message) {
    const record = context.frames.current;
    if (record === undefined || !context.isHonest(record.source)) return;
    const isData = message[1] === Kind.DATA;
    const counted = isData ? dataHops(message) : probeHops(message);
    if (counted !== record.hops) fail(`a frame with ${counted} hops reached node ${host.index} after ${record.hops}`);
    if (record.hops > HOP_LIMIT) fail(`a frame reached node ${host.index} after ${record.hops} hops`);
    if (isData && dataRouteLength(message) > ROUTE_HOPS_MAX) fail(`a route of ${dataRouteLength(message)} hops`);
  },
  handleSecond() {
    for (const { index, node } of honestNodes(context))
      for (const { position } of node!.router.trees)
        if ((position?.coordinates.length ?? 0) > TREE_DEPTH_MAX)
          fail(`node ${index} is ${position!.coordinates.length} deep`);
  },
});
