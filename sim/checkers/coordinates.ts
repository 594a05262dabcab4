import { SignTag, signedMessage } from "../../src/crypto/sign.js";
import type { Ancestry } from "../../src/router/announcer.js";
import { halfMessage } from "../../src/router/trust.js";
import { equalBytes, uint48, utf8 } from "../../src/wire/bytes.js";
import {
  edgeChild,
  edgeChildSignature,
  edgeLinkEpoch,
  edgeParentPort,
  edgeParentSignature,
  edgeTreeEpoch,
} from "../../src/wire/edge.js";
import type { Host } from "../host.js";
import { NETWORK_ID } from "../network-id.js";
import type { CheckContext, Checker, MakeChecker } from "./checker.js";

/** What was looked at last, in each tree. */
interface Seen {
  position: unknown;
  seq: number;
}

/** A node's coordinates are the ports of an unbroken chain of edges from its root to itself, each signed by both its ends, and the root signed its seq. */
export const coordinates: MakeChecker = (context, fail): Checker => {
  const seen = new WeakMap<Host, Seen[]>();
  return {
    handleSettled(host) {
      const trees = host.node?.router.trees;
      if (trees === undefined || !context.isHonest(host)) return;
      let all = seen.get(host);
      if (all === undefined) seen.set(host, (all = trees.map(() => ({ position: undefined, seq: 0 }))));
      for (const tree of trees) {
        const last = all[tree.tree]!;
        const { position, seq } = tree;
        if (seq !== last.seq && position !== undefined && !isSignedSeq(context, tree.tree, tree.ancestry!))
          fail(`in tree ${tree.tree} node ${host.index} holds a seq that its root did not sign`);
        last.seq = seq;
        if (position === last.position) continue;
        last.position = position;
        if (position === undefined) continue;
        const fault = faultOf(context, host, tree.tree, tree.rootKey!, tree.path, position.coordinates);
        if (fault !== undefined) fail(`in tree ${tree.tree} node ${host.index} ${fault}`);
      }
    },
  };
};

function faultOf(
  context: CheckContext,
  host: Host,
  tree: number,
  rootKey: Uint8Array,
  path: readonly Uint8Array[],
  ports: readonly number[],
): string | undefined {
  if (path.length !== ports.length) return `has ${ports.length} coordinates and ${path.length} edges`;
  let parent = rootKey;
  for (const [depth, bytes] of path.entries()) {
    if (edgeParentPort(bytes) !== ports[depth]) return `has another coordinate than its edge at depth ${depth}`;
    if (!isSigned(context, tree, parent, bytes)) return `has an edge at depth ${depth} that its ends did not sign`;
    parent = edgeChild(bytes);
  }
  return equalBytes(parent, host.key) ? undefined : "stands at the end of another node's path";
}

function isSignedSeq({ network }: CheckContext, tree: number, { root, seq, signature }: Ancestry): boolean {
  const fields = [Uint8Array.of(tree), uint48(seq)];
  return network.verdicts.verify(signedMessage(SignTag.HEARTBEAT, utf8(NETWORK_ID), ...fields), signature, root);
}

/** By the checker's own reading of the rules, with the network's own verdicts. */
function isSigned({ network }: CheckContext, tree: number, parent: Uint8Array, edge: Uint8Array): boolean {
  const id = utf8(NETWORK_ID);
  const [child, linkEpoch] = [edgeChild(edge), edgeLinkEpoch(edge)];
  const half = halfMessage(id, parent, child, edgeParentPort(edge), linkEpoch);
  const fields = [Uint8Array.of(tree), parent, child, uint48(linkEpoch), uint48(edgeTreeEpoch(edge))];
  return (
    network.verdicts.verify(half, edgeParentSignature(edge), parent) &&
    network.verdicts.verify(signedMessage(SignTag.TREE_EDGE, id, ...fields), edgeChildSignature(edge), child)
  );
}
