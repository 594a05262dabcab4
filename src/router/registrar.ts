import { equalBytes } from "../wire/bytes.js";
import { CloseCode } from "../wire/codes.js";
import { REG_REFUSED, type Reg, RegOp, RegRefusal, type RegRefused } from "../wire/control.js";
import { edgeChild, edgeLinkEpoch, edgeParentPort, edgeParentSignature } from "../wire/edge.js";
import { Budget } from "./budget.js";
import type { TreeConfig } from "./config.js";
import type { Peer } from "./peer.js";
import type { RouterStats } from "./stats.js";
import { idOf, proofEdge, proofParent, type Subtree } from "./subtree.js";
import type { Trust } from "./trust.js";

/**
 * Takes REG frames in: each entry is checked on arrival, so a child answers for what it forwards and the first bad signature closes
 * its link. Every neighbour has a budget of signatures; what passes it waits, up to a bound.
 */
export class Registrar {
  readonly #waiting = new Map<number, Reg[]>();
  readonly #budgets = new Map<number, Budget>();

  constructor(
    private readonly key: Uint8Array,
    private readonly subtrees: readonly Subtree[],
    private readonly trust: Trust,
    private readonly config: TreeConfig,
    private readonly stats: RouterStats,
    private readonly send: (port: number, frame: Uint8Array) => void,
    /** A neighbour took this node as its parent. */
    private readonly handleChild: (tree: number, port: number) => void,
  ) {}

  /** The code of a broken rule, or undefined. */
  handleReg(peer: Peer, reg: Reg, nowMs: number): CloseCode | undefined {
    const waiting = this.#waiting.get(peer.port);
    if (waiting === undefined && this.mayCheck(peer.port, 2 * reg.adds.length, nowMs))
      return this.#apply(peer, reg, nowMs);
    this.stats.regsDelayed++;
    if (waiting === undefined) this.#waiting.set(peer.port, [reg]);
    else if (waiting.length < this.config.pendingRegsMax) waiting.push(reg);
    else return CloseCode.FLOOD;
    return undefined;
  }

  /** Whether the neighbour behind `port` may have that many more signatures checked now. */
  mayCheck(port: number, signatures: number, nowMs: number): boolean {
    return this.#budget(port, nowMs).overdraw(signatures, nowMs);
  }

  handleLinkDown(port: number, nowMs: number): void {
    this.#waiting.delete(port);
    this.#budgets.delete(port);
    for (const subtree of this.subtrees) subtree.handleLost(port, nowMs);
  }

  /** Works off what waited; `violation` is told each neighbour that broke a rule. */
  handleTimeout(
    nowMs: number,
    peerOf: (port: number) => Peer | undefined,
    violation: (port: number, code: CloseCode) => void,
  ): void {
    for (const [port, waiting] of this.#waiting) {
      while (waiting.length > 0 && this.mayCheck(port, 2 * waiting[0]!.adds.length, nowMs)) {
        const code = this.#apply(peerOf(port)!, waiting.shift()!, nowMs);
        if (code !== undefined) {
          waiting.length = 0;
          violation(port, code);
        }
      }
      if (waiting.length === 0) this.#waiting.delete(port);
    }
  }

  pollTimeout(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const port of this.#waiting.keys()) nextMs = Math.min(nextMs, this.#budgets.get(port)!.paidMs());
    return nextMs;
  }

  #budget(port: number, nowMs: number): Budget {
    let budget = this.#budgets.get(port);
    if (budget === undefined) {
      budget = new Budget(this.config.signaturesPerSecond, this.config.signaturesBurst, nowMs);
      this.#budgets.set(port, budget);
    }
    return budget;
  }

  #apply(peer: Peer, reg: Reg, nowMs: number): CloseCode | undefined {
    const subtree = this.subtrees[reg.tree]!;
    if (reg.op === RegOp.ATTACH) {
      const own = reg.adds[0];
      if (reg.dels.length > 0 || own === undefined || !this.#isOwnEdge(peer, own)) return CloseCode.BAD_EDGE;
      subtree.handleAttach(peer.port, nowMs);
      this.handleChild(reg.tree, peer.port);
    } else if (!subtree.isChild(peer.port)) {
      this.stats.regsUnattached++;
      return undefined;
    }
    if (reg.op === RegOp.DETACH) {
      subtree.handleDetach(peer.port, nowMs);
      return undefined;
    }
    for (const id of reg.dels) subtree.handleDel(peer.port, id, nowMs);
    for (const proof of reg.adds) {
      const code = this.#add(peer, reg.tree, proof, nowMs);
      if (code !== undefined) return code;
    }
    return undefined;
  }

  #add(peer: Peer, tree: number, proof: Uint8Array, nowMs: number): CloseCode | undefined {
    const subtree = this.subtrees[tree]!;
    const refused = subtree.check(peer.port, idOf(peer.key), proof);
    if (refused !== undefined) {
      this.stats.regsRefused[refused.reason]!++;
      const id = edgeChild(proofEdge(proof)).subarray(0, 8);
      this.send(peer.port, REG_REFUSED.encode({ tree, id, ...refused }));
      return undefined;
    }
    if (!this.trust.edgeIsValid(tree, proofParent(proof), proofEdge(proof))) return CloseCode.BAD_EDGE;
    subtree.handleAdd(peer.port, proof.slice(), nowMs);
    return undefined;
  }

  /** The entry that a child attaches with: its edge below us, over the link as it is now. */
  #isOwnEdge(peer: Peer, proof: Uint8Array): boolean {
    const edge = proofEdge(proof);
    return (
      equalBytes(proofParent(proof), this.key) &&
      equalBytes(edgeChild(edge), peer.key) &&
      edgeParentPort(edge) === peer.port &&
      edgeLinkEpoch(edge) === peer.linkEpoch &&
      equalBytes(edgeParentSignature(edge), peer.ourHalf)
    );
  }

  /** A refusal that is not for this node's own edge goes on down to the node that it is about, if it is stale there. */
  forwardRefusal(refused: RegRefused): void {
    if (refused.reason !== RegRefusal.STALE) return;
    const port = this.subtrees[refused.tree]!.childPort(refused.id);
    if (port !== 0) this.send(port, REG_REFUSED.encode(refused));
  }
}
