import type { Network } from "./network.js";
import type { Random } from "./random.js";

/** What can go wrong with a link, a node, or the clock of its machine. */
export const FAULTS = [
  "cut",
  "cut one way",
  "reset",
  "half open",
  "stop",
  "crash",
  "power off",
  "lose disk",
  "wrong clock",
] as const;
export type Fault = (typeof FAULTS)[number];

export interface StormOptions {
  /** Faults in all, and the time from one to the next. */
  readonly faults: number;
  readonly gapMs: readonly [min: number, max: number];
  /** How long each lasts. */
  readonly lastsMs: readonly [min: number, max: number];
  /** Nodes that may be stopped and crashed. */
  readonly nodes: readonly number[];
  /** What may happen; everything by default. */
  readonly kinds?: readonly Fault[];
}

/** How far a wrong clock is off. */
const CLOCK_ERROR_S_MAX = 400_000_000;

/** Breaks links and nodes one after another, as the generator has it, and mends each after a while. */
export function storm(network: Network, random: Random, options: StormOptions): void {
  let left = options.faults;
  const next = () => {
    if (left-- === 0) return;
    breakSomething(network, random, options);
    network.schedule.after(random.between(...options.gapMs), next);
  };
  next();
}

function breakSomething(network: Network, random: Random, options: StormOptions): void {
  const later = (mend: () => void) => network.schedule.after(random.between(...options.lastsMs), mend);
  const fault = random.pick(options.kinds ?? FAULTS);
  const [a, b] = random.pick(network.graph.edges);
  switch (fault) {
    case "cut":
    case "cut one way":
      network.cut(a, b, fault === "cut");
      later(() => network.heal(a, b));
      return;
    case "reset":
      network.reset(a, b);
      return;
    case "half open":
      network.halfOpen(a, b);
      return;
  }
  const node = random.pick(options.nodes);
  const host = network.hosts[node]!;
  if (!host.isReading) return;
  switch (fault) {
    case "stop":
      network.stop(node);
      later(() => network.resume(node));
      return;
    case "crash":
    case "power off":
      network.crash(node, fault === "power off");
      later(() => network.restart(node));
      return;
    case "lose disk":
      network.crash(node);
      later(() => network.restart(node, { withDisk: false }));
      return;
    case "wrong clock":
      network.crash(node);
      host.clockErrorMs = (random.chance(1, 2) ? 1 : -1) * 1_000 * random.below(CLOCK_ERROR_S_MAX);
      later(() => network.restart(node));
  }
}
