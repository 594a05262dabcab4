import { TREE_DEFAULTS } from "../../src/router/config.js";
import { encodeProof, idOf } from "../../src/router/entry.js";
import { Subtree } from "../../src/router/subtree.js";
import { Budget } from "../../src/wire/budget.js";
import { REG, type Reg, RegOp } from "../../src/wire/control.js";
import { encodeEdge } from "../../src/wire/edge.js";

export const CONFIG = { ...TREE_DEFAULTS };
const SIGNATURE = new Uint8Array(64);

export function keyOf(name: number): Uint8Array {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(0, name);
  return key;
}

/** An entry: `child` below `parent`. A table looks at no signature. */
export function entry(parent: number, child: number, epoch: number): Uint8Array {
  return encodeProof(keyOf(parent), encodeEdge(keyOf(child), 1, 1, epoch, SIGNATURE, SIGNATURE));
}

interface Sent {
  readonly port: number;
  readonly reg: Reg;
}

/** A table alone, and the REG frames that it sends up. */
export class Table {
  readonly sent: Sent[] = [];
  readonly subtree: Subtree;

  constructor(
    readonly name: number,
    config = CONFIG,
  ) {
    const budget = new Budget(config.signaturesPerSecond / 2, config.signaturesBurst / 2, 0);
    this.subtree = new Subtree(keyOf(name), 0, config, budget, (port, frame) => {
      this.sent.push({ port, reg: REG.decode(frame) as Reg });
    });
  }

  /** Takes what a child sends, as the registrar does; gives the refusals. */
  take(port: number, childName: number, reg: Reg, nowMs: number): number[] {
    const refusals: number[] = [];
    if (reg.op === RegOp.ATTACH) this.subtree.handleAttach(port, nowMs);
    if (reg.op === RegOp.DETACH) this.subtree.handleDetach(port, nowMs);
    if (!this.subtree.isChild(port)) return refusals;
    for (const id of reg.dels) this.subtree.handleDel(port, id, nowMs);
    for (const proof of reg.adds) {
      const refused = this.subtree.check(port, idOf(keyOf(childName)), proof);
      if (refused === undefined) this.subtree.handleAdd(port, proof, nowMs);
      else refusals.push(refused.reason);
    }
    return refusals;
  }

  attach(port: number, childName: number, adds: Uint8Array[], nowMs = 0): number[] {
    return this.take(port, childName, { tree: 0, op: RegOp.ATTACH, dels: [], adds }, nowMs);
  }

  update(port: number, childName: number, adds: Uint8Array[], dels: number[] = [], nowMs = 0): number[] {
    return this.take(
      port,
      childName,
      { tree: 0, op: RegOp.UPDATE, dels: dels.map((name) => keyOf(name).slice(0, 8)), adds },
      nowMs,
    );
  }

  /** Fires its timers up to a time. */
  runTo(nowMs: number): void {
    for (let next = this.subtree.upward.pollTimeout(); next <= nowMs; next = this.subtree.upward.pollTimeout())
      this.subtree.upward.handleTimeout(next);
  }

  portOf(name: number): number {
    return this.subtree.childPort(keyOf(name));
  }
}

export const names = (adds: readonly Uint8Array[]) =>
  adds.map((proof) => new DataView(proof.buffer, proof.byteOffset).getUint32(32));
export const ids = (dels: readonly Uint8Array[]) =>
  dels.map((id) => new DataView(id.buffer, id.byteOffset).getUint32(0));
