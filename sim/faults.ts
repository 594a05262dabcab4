import type { Network } from "./network.js";
import type { Random } from "./random.js";

export interface StormOptions {
  /** Faults in all, and the time from one to the next. */
  readonly faults: number;
  readonly gapMs: readonly [min: number, max: number];
  /** How long each lasts. */
  readonly lastsMs: readonly [min: number, max: number];
  /** Nodes that may be stopped and crashed. */
  readonly nodes: readonly number[];
}

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
  const [a, b] = random.pick(network.graph.edges);
  const node = random.pick(options.nodes);
  const isUp = network.hosts[node]!.isReading;
  switch (random.below(6)) {
    case 0:
      network.cut(a, b);
      later(() => network.heal(a, b));
      break;
    case 1:
      network.cut(a, b, false);
      later(() => network.heal(a, b));
      break;
    case 2:
      network.reset(a, b);
      break;
    case 3:
      if (!isUp) break;
      network.stop(node);
      later(() => network.resume(node));
      break;
    case 4: {
      if (!isUp) break;
      const machineToo = random.chance(1, 2);
      network.crash(node, machineToo);
      later(() => network.restart(node));
      break;
    }
    case 5:
      if (!isUp) break;
      network.crash(node);
      later(() => network.restart(node, { withDisk: false }));
      break;
  }
}
