import { SignTag, signedMessage } from "../../src/crypto/sign.js";
import { encodePorts } from "../../src/router/ports.js";
import { equalBytes, uint48, utf8 } from "../../src/wire/bytes.js";
import { ROOT_LOST, ROUTE_BROKEN, SEQ_REQUEST } from "../../src/wire/control.js";
import { edgeChild } from "../../src/wire/edge.js";
import type { Host } from "../host.js";
import { NETWORK_ID } from "../network-id.js";
import { type Adversary, openLinks, repeat } from "./adversary.js";

const FORGE_MS = 1_000;

/** Reports roots as lost whose child it is not. */
export const reportForger: Adversary = (host, network) => {
  repeat(host, network, FORGE_MS, () => {
    for (const [, end] of openLinks(host)) {
      const tree = host.node!.router.trees.find(({ path }) => path.length > 1);
      if (tree === undefined) return;
      host.note("reported a root as lost that is not its parent");
      host.transmit(end, rootLost(host, tree.tree, tree.rootKey!, tree.seq, tree.path.at(-1)!));
    }
  });
};

const CRY_MS = 200;
const SEQS_AHEAD = 100;

/**
 * Cries wolf: reports its parent as lost where that is a root, and it is not; asks for seqs that no root ever gave; says of routes that
 * they are broken.
 */
export const wolfCrier: Adversary = (host, network, random) => {
  repeat(host, network, CRY_MS, () => {
    for (const { tree, rootKey, seq, path } of host.node!.router.trees) {
      if (rootKey === undefined) continue;
      const edge = path[0];
      const isChild = edge !== undefined && equalBytes(edgeChild(edge), host.key);
      for (const [, end] of openLinks(host)) {
        if (isChild) {
          host.note("reported its parent, a root, as lost");
          host.transmit(end, rootLost(host, tree, rootKey, seq, edge));
        }
        host.note("asked for a seq that no root ever gave");
        host.transmit(end, SEQ_REQUEST.encode({ tree, root: rootKey, seq: seq + SEQS_AHEAD, hops: 0 }));
      }
    }
    for (const [, end] of openLinks(host)) {
      const back = encodePorts(Uint16Array.from({ length: 4 }, () => 1 + random.below(6)));
      host.note("reported a route as broken that it does not know");
      host.transmit(end, ROUTE_BROKEN.encode({ hops: 1, index: random.below(2), routeId: random.bytes(8), back }));
    }
  });
};

function rootLost(host: Host, tree: number, root: Uint8Array, seq: number, edge: Uint8Array): Uint8Array {
  const { crypto, identity } = host.options;
  const message = signedMessage(SignTag.ROOT_LOST, utf8(NETWORK_ID), Uint8Array.of(tree), root, uint48(seq));
  return ROOT_LOST.encode({ tree, root, seq, edge, signature: crypto.sign(message, identity) });
}
