import { INVENTED } from "../adversaries/inventors.js";
import type { Host } from "../host.js";
import type { Network } from "../network.js";
import { type CheckContext, type Checker, honestNodes, type MakeChecker } from "./checker.js";

/** By then every link of a node that left was found dead, its keys were held for a while, and the rest was told up the tree. */
const GONE_MS = 45_000;
/**
 * A key that a child has no more is gone from its parent's table by then, while the link between them is whole: 3 s of hold, a batch,
 * the signatures and losses of a slow link; and up to 2 s until it is seen.
 */
const HOLD_MS = 12_000;
const EVERY_MS = 2_000;
/** Of large networks so many nodes are looked at, and so many of their keys. */
const LOOKED_AT = 64;

/** Subtree tables keep their bounds, have no more keys than there are nodes, and none that left more than the hold ago. */
export const tables: MakeChecker = (context, fail): Checker => {
  const { network } = context;
  const sinceMs = new Map<string, number>();
  let nextMs = 0;
  return {
    handleSecond(nowMs) {
      if (nowMs < nextMs) return;
      nextMs = nowMs + EVERY_MS;
      checkSizes(context, fail);
      const gone = network.hosts.filter(({ node, sinceMs }) => node === undefined && nowMs - sinceMs > GONE_MS);
      for (const host of honestNodes(context))
        for (const left of gone)
          for (const tree of host.node!.router.trees)
            if (tree.childPort(left.key) !== 0)
              fail(`node ${host.index} still has node ${left.index} in tree ${tree.tree}`);
      const stale = new Set<string>();
      for (const [tree, host, key] of staleKeys(context)) {
        const name = `in tree ${tree} node ${host.index} has node ${key.index} below a child that has it not`;
        stale.add(name);
        if (!sinceMs.has(name)) sinceMs.set(name, nowMs);
        else if (nowMs - sinceMs.get(name)! > HOLD_MS) fail(name);
      }
      for (const name of sinceMs.keys()) if (!stale.has(name)) sinceMs.delete(name);
    },
  };
};

function checkSizes(context: CheckContext, fail: (text: string) => void): void {
  const { hosts } = context.network;
  const invented = hosts.reduce((sum, { deeds }) => sum + (deeds.get(INVENTED) ?? 0), 0);
  for (const { index, node, ports } of honestNodes(context)) {
    const { treeKeysMax, childKeysMax } = node!.config.trees;
    const keysMax = Math.min(hosts.length - 1 + invented, treeKeysMax, ports.size * childKeysMax);
    for (const [tree, keys] of node!.router.tableSizes().entries())
      if (keys > keysMax) fail(`node ${index} has ${keys} keys in tree ${tree}, more than ${keysMax}`);
  }
}

/** Keys of nodes that a table has below a port where no link is, or below a child that is neither that node nor has it. */
function* staleKeys(context: CheckContext): Iterable<[tree: number, at: Host, key: Host]> {
  const { network } = context;
  const some = network.hosts.slice(0, LOOKED_AT);
  // An adversary whose links are closed again and again comes and goes faster than its key is held.
  const keys = some.filter((host) => context.isHonest(host));
  for (const host of some) {
    if (!host.isReading || !context.isHonest(host)) continue;
    for (const tree of host.node!.router.trees)
      for (const key of keys) {
        const port = tree.childPort(key.key);
        if (port !== 0 && isStale(context, network, host, tree.tree, port, key)) yield [tree.tree, host, key];
      }
  }
}

function isStale(
  { isHonest }: CheckContext,
  network: Network,
  host: Host,
  tree: number,
  port: number,
  key: Host,
): boolean {
  const behind = network.behind(host, port);
  if (behind === undefined) return !host.ports.has(port);
  const { host: child, link } = behind;
  // What does not get through cannot be told.
  if (!link.isWhole(0) || !link.isWhole(1) || !child.isReading || !isHonest(child)) return false;
  return child !== key && child.node!.router.trees[tree]!.childPort(key.key) === 0;
}
