import { rankOf } from "../../src/router/rank.js";
import { compareBytes, equalBytes } from "../../src/wire/bytes.js";
import { TREE_COUNT } from "../../src/wire/limits.js";
import type { Host } from "../host.js";
import { partsNow } from "../parts.js";
import type { CheckContext, Checker, MakeChecker } from "./checker.js";

/** Once healed, each part of the network has one root per tree, the best, and its tables have every key below and no other. */
export const views: MakeChecker = (context, fail): Checker => ({
  handleHealed() {
    for (const fault of viewFaults(context)) fail(fault);
  },
});

/** What is not as it must be once everything has settled; nothing where all is well. */
export function viewFaults(context: CheckContext): string[] {
  const faults: string[] = [];
  for (const part of partsNow(context.network, context.isHonest))
    for (let tree = 0; tree < TREE_COUNT; tree++) faults.push(...partFaults(context, part, tree));
  return faults;
}

function* partFaults(context: CheckContext, part: readonly Host[], t: number): Iterable<string> {
  const rank = ({ key }: Host) => rankOf(context.crypto, t, key);
  const eligible = part.filter(({ options }) => options.leaf !== true);
  if (eligible.length === 0) return;
  const root = eligible.reduce((best, host) => (compareBytes(rank(host), rank(best)) > 0 ? host : best));
  for (const host of part) {
    const tree = host.node!.router.trees[t]!;
    if (tree.rootKey === undefined || !equalBytes(tree.rootKey, root.key)) {
      yield `in tree ${t} the root of node ${host.index} is not node ${root.index}`;
      continue;
    }
    if (tree.isOrphan) yield `in tree ${t} node ${host.index} has no parent`;
    // The chain of parents: each has the node in its table, and the ports make its coordinates.
    const ports: number[] = [];
    let at = host;
    for (let steps = 0; at !== root && steps < part.length; steps++) {
      const parent = context.network.behind(at, at.node!.router.trees[t]!.parentPort)?.host;
      const port = parent?.node?.router.view.peerByKey(at.key)?.port;
      if (parent === undefined || port === undefined) break;
      ports.unshift(port);
      if (parent.node!.router.trees[t]!.childPort(host.key) !== port)
        yield `in tree ${t} node ${host.index} is not in the table of node ${parent.index} above it`;
      at = parent;
    }
    if (at !== root) yield `in tree ${t} the parents of node ${host.index} do not end at the root`;
    else if (ports.join() !== [...(tree.position?.coordinates ?? [])].join())
      yield `in tree ${t} node ${host.index} has other coordinates than its parents give it`;
  }
  const keys = root.node!.router.tableSizes()[t]!;
  if (keys !== part.length - 1)
    yield `in tree ${t} the root, node ${root.index}, has ${keys} keys of ${part.length - 1}`;
}
