import { equalBytes } from "../../src/wire/bytes.js";
import { edgeChild } from "../../src/wire/edge.js";
import type { Host } from "../host.js";
import type { Checker, MakeChecker } from "./checker.js";

/** No node's parent announces a path that leads through that node. */
export const ownPath: MakeChecker = ({ isHonest }, fail): Checker => {
  /** What was looked at last: announcements do not change but for their seq. */
  const seen = new WeakMap<Host, unknown[]>();
  return {
    handleSettled(host) {
      const router = host.node?.router;
      if (router === undefined || !isHonest(host)) return;
      let last = seen.get(host);
      if (last === undefined) seen.set(host, (last = []));
      for (const { tree, parentPort } of router.trees) {
        const announced = parentPort === 0 ? undefined : router.view.peer(parentPort)?.announced[tree];
        if (announced === last[tree]) continue;
        last[tree] = announced;
        if (announced === undefined) continue;
        const isThroughMe = router.pathOf(announced).some((edge) => equalBytes(edgeChild(edge), host.key));
        if (isThroughMe || equalBytes(announced.rootKey, host.key))
          fail(`in tree ${tree} the parent of node ${host.index} announces a path through it`);
      }
    },
  };
};
