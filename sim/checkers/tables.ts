import { type Checker, honestNodes, type MakeChecker } from "./checker.js";

/** By then every link of a node that left was found dead, its keys were held for a while, and the rest was told up the tree. */
const GONE_MS = 45_000;
const EVERY_MS = 5_000;

/** Subtree tables have no more keys than there are nodes, and none that left long ago. */
export const tables: MakeChecker = (context, fail): Checker => {
  const { network } = context;
  let nextMs = 0;
  return {
    handleSecond(nowMs) {
      if (nowMs < nextMs) return;
      nextMs = nowMs + EVERY_MS;
      const gone = network.hosts.filter(({ node, sinceMs }) => node === undefined && nowMs - sinceMs > GONE_MS);
      for (const { index, node } of honestNodes(context)) {
        for (const [tree, keys] of node!.router.tableSizes().entries())
          if (keys >= network.hosts.length) fail(`node ${index} has ${keys} keys in tree ${tree}`);
        for (const left of gone)
          for (const { tree, childPort } of node!.router.trees.map((t) => ({
            tree: t.tree,
            childPort: t.childPort(left.key),
          })))
            if (childPort !== 0) fail(`node ${index} still has node ${left.index} in tree ${tree}`);
      }
    },
  };
};
