import { equalBytes } from "../../src/wire/bytes.js";
import type { Host } from "../host.js";
import type { Network } from "../network.js";
import type { Checker, MakeChecker } from "./checker.js";

/** Parents below one root never run in a circle, not for an instant. */
export const circles: MakeChecker = ({ network, isHonest }, fail): Checker => {
  const seen = new WeakMap<Host, number[]>();
  return {
    handleSettled(host) {
      const trees = host.node?.router.trees;
      if (trees === undefined || !isHonest(host)) return;
      let last = seen.get(host);
      if (last === undefined) seen.set(host, (last = []));
      for (const { tree, parentPort } of trees) {
        if (parentPort === last[tree]) continue;
        last[tree] = parentPort;
        const length = circleOf(network, host, tree);
        if (length > 0) fail(`in tree ${tree} node ${host.index} is ${length} nodes below itself`);
      }
    },
  };
};

/** How far a node is below itself; 0 where it is not. Where the root differs on the way there is no circle of one root. */
function circleOf(network: Network, host: Host, t: number): number {
  const rootKey = host.node!.router.trees[t]!.rootKey;
  let at: Host | undefined = host;
  for (let length = 1; rootKey !== undefined && length <= network.hosts.length; length++) {
    const tree: { readonly parentPort: number } = at.node!.router.trees[t]!;
    const behind: ReturnType<Network["behind"]> = network.behind(at, tree.parentPort);
    // What does not get through leads nowhere.
    if (behind?.link.isWhole(behind.side) !== true) return 0;
    at = behind.host;
    if (at === host) return length;
    const theirs = at.node?.router.trees[t]?.rootKey;
    if (theirs === undefined || !equalBytes(theirs, rootKey)) return 0;
  }
  return 0;
}
