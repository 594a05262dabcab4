import type { Crypto, Identity } from "../crypto/crypto.js";
import { SignTag, signedMessage } from "../crypto/sign.js";
import { QuestionKind, type VerdictCache } from "../crypto/verdicts.js";
import { uint16, uint48 } from "../wire/bytes.js";
import type { Heartbeat, RootLost } from "../wire/control.js";
import {
  type EdgeBytes,
  edgeChild,
  edgeChildSignature,
  edgeLinkEpoch,
  edgeParentPort,
  edgeParentSignature,
  edgeTreeEpoch,
  encodeEdge,
} from "../wire/edge.js";
import type { Peer } from "./peer.js";

/** Signs and checks what the trees are made of. One byte names the tree in each message. */
export class Trust {
  constructor(
    private readonly crypto: Crypto,
    private readonly verdicts: VerdictCache,
    private readonly identity: Identity,
    private readonly networkId: Uint8Array,
  ) {}

  /** This node's edge below `parent`: the parent's half of the link certificate, and our choice. */
  signEdge(tree: number, parent: Peer, treeEpoch: number): EdgeBytes {
    const key = this.identity.publicKey;
    const signature = this.crypto.sign(
      this.edgeMessage(tree, parent.key, key, parent.linkEpoch, treeEpoch),
      this.identity,
    );
    return encodeEdge(key, parent.theirPort, parent.linkEpoch, treeEpoch, parent.theirHalf, signature);
  }

  /** True where the parent gave the child that port, and the child chose the parent in this tree. */
  edgeIsValid(tree: number, parentKey: Uint8Array, edge: EdgeBytes): boolean {
    const judge = () => this.isSigned(tree, parentKey, edge);
    return this.verdicts.decide(judge, QuestionKind.EDGE, Uint8Array.of(tree), parentKey, edge, this.networkId);
  }

  /** The parent's half is the same in all trees; the child's signature is looked at once, as part of its edge. */
  private isSigned(tree: number, parentKey: Uint8Array, edge: EdgeBytes): boolean {
    const child = edgeChild(edge);
    const linkEpoch = edgeLinkEpoch(edge);
    const half = halfMessage(this.networkId, parentKey, child, edgeParentPort(edge), linkEpoch);
    return (
      this.verdicts.verify(half, edgeParentSignature(edge), parentKey) &&
      this.crypto.verify(
        this.edgeMessage(tree, parentKey, child, linkEpoch, edgeTreeEpoch(edge)),
        edgeChildSignature(edge),
        child,
      )
    );
  }

  signHeartbeat(tree: number, seq: number): Uint8Array {
    return this.crypto.sign(this.heartbeatMessage(tree, seq), this.identity);
  }

  heartbeatIsValid(heartbeat: Pick<Heartbeat, "tree" | "root" | "seq" | "signature">): boolean {
    const { tree, root, seq, signature } = heartbeat;
    return this.verdicts.verify(this.heartbeatMessage(tree, seq), signature, root);
  }

  signRootLost(tree: number, root: Uint8Array, seq: number): Uint8Array {
    return this.crypto.sign(this.rootLostMessage(tree, root, seq), this.identity);
  }

  /** True where the reporter was a child of the root, and signed the report. */
  rootLostIsValid({ tree, root, seq, edge, signature }: RootLost): boolean {
    return (
      this.edgeIsValid(tree, root, edge) &&
      this.verdicts.verify(this.rootLostMessage(tree, root, seq), signature, edgeChild(edge))
    );
  }

  /** This node's own key. */
  get key(): Uint8Array {
    return this.identity.publicKey;
  }

  private edgeMessage(
    tree: number,
    parent: Uint8Array,
    child: Uint8Array,
    linkEpoch: number,
    treeEpoch: number,
  ): Uint8Array {
    const fields = [Uint8Array.of(tree), parent, child, uint48(linkEpoch), uint48(treeEpoch)];
    return signedMessage(SignTag.TREE_EDGE, this.networkId, ...fields);
  }

  private heartbeatMessage(tree: number, seq: number): Uint8Array {
    return signedMessage(SignTag.HEARTBEAT, this.networkId, Uint8Array.of(tree), uint48(seq));
  }

  private rootLostMessage(tree: number, root: Uint8Array, seq: number): Uint8Array {
    return signedMessage(SignTag.ROOT_LOST, this.networkId, Uint8Array.of(tree), root, uint48(seq));
  }
}

/** What each side signs in CERT, its half of the link certificate: "I have `other` on `port`, under `linkEpoch`". */
export function halfMessage(
  networkId: Uint8Array,
  signer: Uint8Array,
  other: Uint8Array,
  port: number,
  linkEpoch: number,
): Uint8Array {
  return signedMessage(SignTag.LINK_HALF, networkId, signer, other, uint16(port), uint48(linkEpoch));
}
