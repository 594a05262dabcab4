import type { Identity } from "../../src/crypto/crypto.js";
import { encodeProof } from "../../src/router/entry.js";
import type { Peer } from "../../src/router/peer.js";
import { rankOf } from "../../src/router/rank.js";
import { halfMessage, Trust } from "../../src/router/trust.js";
import { compareBytes, writeUint16 } from "../../src/wire/bytes.js";
import { ANNOUNCE, HEARTBEAT, REG, RegOp, ROOT_LOST } from "../../src/wire/control.js";
import { type EdgeBytes, edgeChild } from "../../src/wire/edge.js";
import { kindOf } from "../../src/wire/kinds.js";
import { crypto, Member, type Mesh, networkId, verdicts } from "./mesh.js";

/** A root and the edges below it: what an ANNOUNCE tells. */
export interface Told {
  readonly root: Uint8Array;
  readonly seq: number;
  readonly signature: Uint8Array;
  readonly edges: readonly EdgeBytes[];
}

/** An identity that signs whatever a test wants. */
export class Signer {
  readonly trust: Trust;

  constructor(readonly identity: Identity) {
    this.trust = new Trust(crypto, verdicts, identity, networkId);
  }

  static fresh(seed: number): Signer {
    const bytes = new Uint8Array(32).fill(0xee);
    new DataView(bytes.buffer).setUint32(0, seed);
    return new Signer(crypto.identityFromSeed(bytes));
  }

  /** One that beats every member of a mesh in a tree: honest members follow it. */
  static best(mesh: Mesh, tree: number): Signer {
    const ranks = mesh.members.map((member) => rankOf(crypto, tree, member.key));
    for (let seed = 1; ; seed++) {
      const signer = Signer.fresh(seed);
      const rank = rankOf(crypto, tree, signer.key);
      if (ranks.every((other) => compareBytes(other, rank) < 0)) return signer;
    }
  }

  get key(): Uint8Array {
    return this.identity.publicKey;
  }

  /** This signer as a root, and what hangs below it. */
  asRoot(tree: number, seq: number, edges: readonly EdgeBytes[] = []): Told {
    return { root: this.key, seq, signature: this.trust.signHeartbeat(tree, seq), edges };
  }

  /** An edge below another signer, both signatures in order. */
  edgeBelow(parent: Signer, tree: number, { port = 1, linkEpoch = 1, treeEpoch = 1 } = {}): EdgeBytes {
    const theirHalf = parent.half(this.key, port, linkEpoch);
    return this.trust.signEdge(tree, { key: parent.key, theirPort: port, linkEpoch, theirHalf } as Peer, treeEpoch);
  }

  /** As many edges of signers of its own, each below the one before, the first below `root`, the last this signer's. */
  chainBelow(root: Signer, tree: number, length: number, seed: number): EdgeBytes[] {
    const signers = Array.from({ length: length - 1 }, (_, i) => Signer.fresh(seed + i));
    return [...signers, this].map((signer, i) => signer.edgeBelow(signers[i - 1] ?? root, tree, { treeEpoch: seed }));
  }

  half(other: Uint8Array, port: number, linkEpoch: number): Uint8Array {
    return crypto.sign(halfMessage(networkId, this.key, other, port, linkEpoch), this.identity);
  }
}

/** A member that says what the test wants, and hears everything. It takes no part in the trees of its own accord. */
export class Puppet extends Member {
  override readonly isHonest = false;
  readonly signer: Signer;
  readonly heard: { readonly port: number; readonly frame: Uint8Array }[] = [];
  readonly #peers = new Map<Member, Peer>();

  private constructor(mesh: Mesh, identity: Identity) {
    super(mesh, identity, {});
    this.signer = new Signer(identity);
  }

  static in(mesh: Mesh): Puppet {
    return mesh.adopt((identity) => new Puppet(mesh, identity));
  }

  override handleFrame(frame: Uint8Array, port: number): void {
    this.heard.push({ port, frame });
  }

  override handleLinkUp(peer: Peer): void {
    this.#peers.set(this.wires.get(peer.port)!.to, peer);
  }

  override handleLinkDown(): void {}

  override handleTimeout(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** The link to `to`, as this end sees it. */
  peer(to: Member): Peer {
    return this.#peers.get(to)!;
  }

  say(to: Member, frame: Uint8Array): void {
    this.mesh.send(this, this.portTo(to), frame);
  }

  /** The frames of a kind that came. */
  heardOf(kind: number): Uint8Array[] {
    return this.heard.map(({ frame }) => frame).filter((frame) => kindOf(frame) === kind);
  }

  /** `keepPrefix` and `keepSuffix` edges of the last announcement stay around those that are told. */
  announce(to: Member, tree: number, told: Told, keepPrefix = 0, keepSuffix = 0): void {
    const edges = [...told.edges];
    this.say(to, ANNOUNCE.encode({ tree, ...told, delayMs: 0, keepPrefix, keepSuffix, edges }));
  }

  heartbeat(to: Member, tree: number, { root, seq, signature }: Omit<Told, "edges">): void {
    this.say(to, HEARTBEAT.encode({ tree, root, seq, signature }));
  }

  /** Its edge below a neighbour. */
  edgeBelow(parent: Member, tree: number, treeEpoch: number): EdgeBytes {
    return this.signer.trust.signEdge(tree, this.peer(parent), treeEpoch);
  }

  /** The edge of another signer below this member, over a link that is not there. */
  edgeOf(child: Signer, tree: number, { port = 500, linkEpoch = 1, treeEpoch = 1 } = {}): EdgeBytes {
    return child.edgeBelow(this.signer, tree, { port, linkEpoch, treeEpoch });
  }

  attach(to: Member, tree: number, treeEpoch: number, more: readonly Uint8Array[] = []): void {
    const own = encodeProof(to.key, this.edgeBelow(to, tree, treeEpoch));
    this.say(to, REG.encode({ tree, op: RegOp.ATTACH, dels: [], adds: [own, ...more] }));
  }

  update(to: Member, tree: number, adds: Uint8Array[], dels: Uint8Array[] = []): void {
    this.say(to, REG.encode({ tree, op: RegOp.UPDATE, dels, adds }));
  }

  detach(to: Member, tree: number): void {
    this.say(to, REG.encode({ tree, op: RegOp.DETACH, dels: [], adds: [] }));
  }

  /** Tells `to` that the root lost this member, its child by `edge`. */
  reportLost(to: Member, tree: number, root: Uint8Array, seq: number, edge: EdgeBytes): void {
    const signature = this.signer.trust.signRootLost(tree, root, seq);
    this.say(to, ROOT_LOST.encode({ tree, root, seq, edge, signature }));
  }
}

/** The same edge with another port in it, its signatures as they were. */
export function withPort(edge: EdgeBytes, port: number): EdgeBytes {
  const other = edge.slice();
  writeUint16(other, 32, port);
  return other;
}

/** The edges above a member in a tree, as REG entries: each behind its parent's key. */
export function proofsAbove(member: Member, tree: number): Uint8Array[] {
  const { path, rootKey } = member.trees.trees[tree]!;
  return path.map((edge, i) => encodeProof(i === 0 ? rootKey! : edgeChild(path[i - 1]!), edge));
}
