import type { Crypto, Identity } from "../src/crypto/crypto.js";
import { rankOf } from "../src/router/rank.js";
import type { Random } from "./random.js";

/** Keys tried for each node that is to be outdone: one of so many attempts is beaten all the same. */
const TRIES_PER_NODE = 64;

/** An identity whose rank in a tree is the best among so many nodes, as good as certainly: what an attacker gets by trying keys. */
export function grindIdentity(crypto: Crypto, tree: number, nodes: number, random: Random): Identity {
  for (;;) {
    const identity = crypto.identityFromSeed(random.bytes(32));
    const [a, b, c, d] = rankOf(crypto, tree, identity.publicKey);
    const share = (((a! * 256 + b!) * 256 + c!) * 256 + d!) / 2 ** 32;
    if (share >= 1 - 1 / (TRIES_PER_NODE * nodes)) return identity;
  }
}
