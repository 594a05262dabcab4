import { Budget } from "../wire/budget.js";
import { equalBytes } from "../wire/bytes.js";
import { CloseCode } from "../wire/codes.js";
import { REG_REFUSED, type Reg, RegOp, RegRefusal, type RegRefused } from "../wire/control.js";
import { edgeChild, edgeLinkEpoch, edgeParentPort, edgeParentSignature } from "../wire/edge.js";
import { EPOCH_HINT_MAX, ID_BYTES } from "../wire/limits.js";
import type { TreeConfig } from "./config.js";
import { idOf, proofChild, proofEdge, proofEpoch, proofParent } from "./entry.js";
import type { Peer } from "./peer.js";
import type { RouterStats } from "./stats.js";
import type { Subtree } from "./subtree.js";
import type { Trust } from "./trust.js";

/** What waits of a neighbour's REG frames, and what it may cause. */
interface Intake {
  readonly waiting: Reg[];
  /** Entries among them; a frame counts as one more. */
  waitingEntries: number;
  readonly signatures: Budget;
  /** Refusals that it is told, or tells. */
  readonly refusals: Budget;
}

/**
 * Takes REG frames in: each entry is checked on arrival, so a child answers for what it forwards and the first bad signature closes
 * its link. Every neighbour has a budget of signatures; what passes it waits, up to a bound.
 */
export class Registrar {
  readonly #intakes = new Map<number, Intake>();
  /** Ports of which something waits. */
  readonly #waitingPorts = new Set<number>();

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

  handleLinkDown(port: number, nowMs: number): void {
    this.#intakes.delete(port);
    this.#waitingPorts.delete(port);
    for (const subtree of this.subtrees) subtree.handleLinkDown(port, nowMs);
  }

  /** The code of a broken rule, or undefined. */
  handleReg(peer: Peer, reg: Reg, nowMs: number): CloseCode | undefined {
    const intake = this.#intakeOf(peer.port, nowMs);
    const { waiting, signatures } = intake;
    if (waiting.length === 0 && signatures.overdraw(2 * reg.adds.length, nowMs)) return this.#apply(peer, reg, nowMs);
    this.stats.regsDelayed++;
    // Copied: its entries are views of the receive chunk, which would wait with it.
    waiting.push({ ...reg, dels: reg.dels.map(copy), adds: reg.adds.map(copy) });
    this.#waitingPorts.add(peer.port);
    intake.waitingEntries += sizeOf(reg);
    return intake.waitingEntries > this.config.waitingEntriesMax ? CloseCode.FLOOD : undefined;
  }

  /** Works off what waited; `violation` is told each neighbour that broke a rule. */
  handleTimeout(
    nowMs: number,
    peerOf: (port: number) => Peer | undefined,
    violation: (port: number, code: CloseCode) => void,
  ): void {
    for (const port of this.#waitingPorts) {
      const intake = this.#intakes.get(port)!;
      const { waiting, signatures } = intake;
      while (waiting.length > 0 && signatures.overdraw(2 * waiting[0]!.adds.length, nowMs)) {
        const reg = waiting.shift()!;
        intake.waitingEntries -= sizeOf(reg);
        const code = this.#apply(peerOf(port)!, reg, nowMs);
        if (code === undefined) continue;
        waiting.length = 0;
        violation(port, code);
      }
      if (waiting.length === 0) this.#waitingPorts.delete(port);
    }
  }

  pollTimeout(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const port of this.#waitingPorts) nextMs = Math.min(nextMs, this.#intakes.get(port)!.signatures.paidMs());
    return nextMs;
  }

  /** Made at the first use: most neighbours are neither parent nor child. */
  #intakeOf(port: number, nowMs: number): Intake {
    let intake = this.#intakes.get(port);
    if (intake === undefined) {
      const { signaturesPerSecond, signaturesBurst, refusalsPerSecond, refusalsBurst } = this.config;
      intake = {
        waiting: [],
        waitingEntries: 0,
        signatures: new Budget(signaturesPerSecond, signaturesBurst, nowMs),
        refusals: new Budget(refusalsPerSecond, refusalsBurst, nowMs),
      };
      this.#intakes.set(port, intake);
    }
    return intake;
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
    const id = proofChild(proof).subarray(0, ID_BYTES);
    const refused = subtree.check(peer.port, idOf(peer.key), proof);
    if (refused !== undefined) {
      this.stats.regsRefused[refused.reason]!++;
      this.#tell(peer.port, { tree, id, ...refused }, nowMs);
      return undefined;
    }
    if (!this.trust.edgeIsValid(tree, proofParent(proof), proofEdge(proof))) return CloseCode.BAD_EDGE;
    const stale = { tree, id, reason: RegRefusal.STALE, epoch: proofEpoch(proof) };
    for (const port of subtree.handleAdd(peer.port, proof, nowMs)) this.#tell(port, stale, nowMs);
    return undefined;
  }

  /** Tells a child of an entry that is not taken, or not any more, as far as its budget of refusals goes. */
  #tell(port: number, refused: RegRefused, nowMs: number): void {
    if (this.#intakeOf(port, nowMs).refusals.take(nowMs)) this.send(port, REG_REFUSED.encode(refused));
    else this.stats.refusalsUntold++;
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

  /**
   * The parent refused an entry. A stale one goes, and whoever it is about hears of it; the epoch is the parent's word, so it counts
   * within the bound of hints. What is refused for want of room, or for want of its own parent, stays here and is offered again.
   */
  handleRefusal(parentPort: number, refused: RegRefused, nowMs: number): void {
    const isStale = refused.reason === RegRefusal.STALE;
    if (isStale && refused.epoch > EPOCH_HINT_MAX) return;
    if (!this.#intakeOf(parentPort, nowMs).refusals.take(nowMs)) {
      this.stats.refusalsIgnored++;
      return;
    }
    const subtree = this.subtrees[refused.tree]!;
    if (!isStale) {
      subtree.upward.handleRefused(refused, nowMs);
      return;
    }
    const port = subtree.handleStale(refused.id, refused.epoch, nowMs);
    if (port !== 0) this.send(port, REG_REFUSED.encode(refused));
  }
}

const sizeOf = (reg: Reg): number => 1 + reg.adds.length + reg.dels.length;

const copy = (bytes: Uint8Array): Uint8Array => bytes.slice();
