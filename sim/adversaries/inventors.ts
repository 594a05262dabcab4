import type { Crypto, Identity } from "../../src/crypto/crypto.js";
import { SignTag, signedMessage } from "../../src/crypto/sign.js";
import { rankOf } from "../../src/router/rank.js";
import { halfMessage } from "../../src/router/trust.js";
import { compareBytes, concatBytes, uint48, utf8 } from "../../src/wire/bytes.js";
import { ANNOUNCE, REG, RegOp } from "../../src/wire/control.js";
import { type EdgeBytes, encodeEdge } from "../../src/wire/edge.js";
import { TREE_COUNT, TREE_DEPTH_MAX } from "../../src/wire/limits.js";
import type { Host } from "../host.js";
import { NETWORK_ID } from "../network-id.js";
import type { Random } from "../random.js";
import { type Adversary, openLinks, repeat } from "./adversary.js";

const INVENT_MS = 200;
const INVENTED_AT_ONCE = 20;
/** What `tables` must allow for. */
export const INVENTED = "registered an invented key";

/** Invents children: keys of its own making, each truly signed below itself, and registers them with its parents for ever. */
export const childInventor: Adversary = (host, network, random) => {
  const { crypto, identity } = host.options;
  repeat(host, network, INVENT_MS, () => {
    for (const { tree, parentPort } of host.node!.router.trees) {
      const end = host.ends.get(host.ports.get(parentPort) ?? -1);
      if (end?.isWritable !== true) continue;
      const adds = Array.from({ length: INVENTED_AT_ONCE }, (_, i) => {
        const child = crypto.identityFromSeed(random.bytes(32));
        return concatBytes(identity.publicKey, inventEdge(crypto, tree, identity, child, i + 1));
      });
      host.note(INVENTED, INVENTED_AT_ONCE);
      host.transmit(end, REG.encode({ tree, op: RegOp.UPDATE, dels: [], adds }));
    }
  });
};

const PATH_MS = 50;

/**
 * Invents ancestors: ever new paths of the greatest depth from roots of its own making down to itself, all truly signed, so that its
 * neighbours check signatures without end. The roots rank below the true one: whoever grinds a better one is root, and no liar.
 */
export const pathInventor: Adversary = (host, network, random) => {
  let turn = 0;
  repeat(host, network, PATH_MS, () => {
    const links = [...openLinks(host)];
    if (links.length === 0) return;
    const frame = inventPath(host, turn++ % TREE_COUNT, random);
    for (const [, end] of links) {
      host.note("announced an invented path");
      host.transmit(end, frame.slice());
    }
  });
};

function inventPath(host: Host, tree: number, random: Random): Uint8Array {
  const { crypto, identity } = host.options;
  const trueRoot = host.node!.router.trees[tree]!.rootKey ?? identity.publicKey;
  const trueRank = rankOf(crypto, tree, trueRoot);
  let root = crypto.identityFromSeed(random.bytes(32));
  while (compareBytes(rankOf(crypto, tree, root.publicKey), trueRank) > 0)
    root = crypto.identityFromSeed(random.bytes(32));
  const edges: EdgeBytes[] = [];
  let above = root;
  for (let depth = 1; depth < TREE_DEPTH_MAX; depth++) {
    const child = depth + 1 === TREE_DEPTH_MAX ? identity : crypto.identityFromSeed(random.bytes(32));
    edges.push(inventEdge(crypto, tree, above, child, depth));
    above = child;
  }
  const seq = 1 + random.below(1_000_000);
  const message = signedMessage(SignTag.HEARTBEAT, utf8(NETWORK_ID), Uint8Array.of(tree), uint48(seq));
  const signature = crypto.sign(message, root);
  const kept = { keepPrefix: 0, keepSuffix: 0 };
  return ANNOUNCE.encode({ tree, root: root.publicKey, seq, signature, delayMs: 0, ...kept, edges });
}

/** An edge whose two ends are both at hand. */
function inventEdge(crypto: Crypto, tree: number, parent: Identity, child: Identity, port: number): EdgeBytes {
  const id = utf8(NETWORK_ID);
  const [linkEpoch, treeEpoch] = [1, 1];
  const half = crypto.sign(halfMessage(id, parent.publicKey, child.publicKey, port, linkEpoch), parent);
  const fields = [Uint8Array.of(tree), parent.publicKey, child.publicKey, uint48(linkEpoch), uint48(treeEpoch)];
  const choice = crypto.sign(signedMessage(SignTag.TREE_EDGE, id, ...fields), child);
  return encodeEdge(child.publicKey, port, linkEpoch, treeEpoch, half, choice);
}
