import type { Crypto } from "../src/crypto/crypto.js";
import { type FuzzResult, fuzz, type Swarm } from "./fuzz.js";

/** A smaller swarm on which a seed still fails, and by what it differs from the one that the seed draws. */
export interface Shrunk {
  readonly result: FuzzResult;
  readonly changes: Partial<Swarm>;
  /** Runs that it took. */
  readonly runs: number;
}

const NODES_MIN = 3;
const FLOW_BYTES_MIN = 2_000;

/**
 * Looks for the smallest swarm on which the seed fails by the same checker: fewer nodes, faults, kinds of them, flows and contacts, and
 * plainer links, one thing after another as long as any helps. At most `runsMax` runs.
 */
export function shrink(failed: FuzzResult, crypto: Crypto, runsMax = 200, onRun: () => void = () => {}): Shrunk {
  const checker = failed.failed[0]!;
  let best: Shrunk = { result: failed, changes: {}, runs: 0 };
  let runs = 0;
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const change of smaller(best.result.swarm)) {
      if (runs === runsMax) return { ...best, runs };
      runs++;
      const changes = { ...best.changes, ...change };
      const result = fuzz(failed.seed, crypto, changes);
      onRun();
      if (!result.failed.includes(checker)) continue;
      best = { result, changes, runs };
      isSmaller = true;
      break;
    }
  }
  return { ...best, runs };
}

/** Changes that each make a swarm smaller, the greatest first. */
function* smaller(swarm: Swarm): Iterable<Partial<Swarm>> {
  const { graph, link, faults, kinds, flows, flowBytes } = swarm;
  for (const nodes of less(graph.nodes, NODES_MIN)) yield { graph: { ...graph, nodes } };
  for (const fewer of less(faults, 0)) yield { faults: fewer };
  if (kinds.length > 1) for (const kind of kinds) yield { kinds: kinds.filter((other) => other !== kind) };
  if (swarm.adversary !== undefined) yield { adversary: undefined };
  if (swarm.leaves > 0) yield { leaves: 0 };
  for (const fewer of less(flows, 0)) yield { flows: fewer };
  if (flows > 0 && flowBytes > FLOW_BYTES_MIN) yield { flowBytes: FLOW_BYTES_MIN };
  if (swarm.contactsPerS > 0) yield { contactsPerS: 0 };
  if (swarm.staggerMs > 0) yield { staggerMs: 0 };
  if (link.reset?.[0] !== 0) yield { link: { ...link, reset: [0, 1] } };
  if (link.loss?.[0] !== 0) yield { link: { ...link, loss: [0, 1] } };
  if (link.jitterMs !== 0) yield { link: { ...link, jitterMs: 0 } };
  if (graph.kind !== "line") yield { graph: { ...graph, kind: "line" } };
}

/** The least, half way down to it, and one less. */
function less(value: number, min: number): number[] {
  const steps = [min, min + Math.floor((value - min) / 2), value - 1];
  return [...new Set(steps)].filter((step) => step >= min && step < value);
}
